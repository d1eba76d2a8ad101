"""IntMVAU: integer matrix times integer vectors, folded pe x simd; the stem's and the classifier's linear layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.affine_cost import int_mvau_resources
from bvit_hw.ops.base import HwOp, IntArray, Params, Resources, RtlInstance, Stream, clog2, divisors
from bvit_hw.ops.block_ram import LUTS_PER_BRAM18
from bvit_hw.ops.coef_memory import block_count, block_pays, pack_words

#: operands of a DSP48E1's multiplier
DSP_X_BITS, DSP_WEIGHT_BITS = 25, 18


@dataclass(frozen=True, kw_only=True)
class IntMVAU(HwOp):
    """acc = weights . x for each token of ``cols`` integers, ``rows`` results; see rtl/bvit_int_mvau.sv.

    ``pe`` rows and ``simd`` columns a cycle; ``use_dsp`` puts the multipliers into DSP blocks (1) or LUTs (0).
    ``params``: ``weights`` (rows x cols), signed, ``weight_bits`` wide.
    """

    op_type: ClassVar[str] = "IntMVAU"
    folding_fields: ClassVar[tuple[str, ...]] = ("simd", "pe", "use_dsp")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_beat_counter.sv",
        "bvit_coef_rom.sv",
        "bvit_booth_mul.sv",
        "bvit_affine_mul.sv",
        "bvit_vector_replay.sv",
        "bvit_adder_tree.sv",
        "bvit_int_mvau.sv",
    )

    tokens: int
    cols: int
    rows: int
    in_bits: int
    in_signed: int = 0
    weight_bits: int = 8
    acc_bits: int
    simd: int = 1
    pe: int = 1
    use_dsp: int = 1

    def __post_init__(self) -> None:
        ranges = {
            "tokens": (1, None),
            "cols": (1, None),
            "rows": (1, None),
            "in_signed": (0, 1),
            # a signed multiplier sees an unsigned input with a zero in front
            "in_bits": (1 + self.in_signed, DSP_X_BITS - 1 + self.in_signed),
            "weight_bits": (2, DSP_WEIGHT_BITS),
            "acc_bits": (2, 48),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                raise ConfigError(f"IntMVAU: {name}={value}; allowed: {low} .. {high or 'any'}")
        if self.pe < 1 or self.rows % self.pe:
            raise FoldingError(
                f"IntMVAU: pe={self.pe} does not divide {self.rows} rows; allowed: {divisors(self.rows)}"
            )
        if self.simd < 1 or self.cols % self.simd:
            raise FoldingError(
                f"IntMVAU: simd={self.simd} does not divide {self.cols} columns; allowed: {divisors(self.cols)}"
            )
        if self.use_dsp not in (0, 1):
            raise FoldingError(f"IntMVAU: use_dsp={self.use_dsp}; allowed: 0, 1")

    @property
    def row_folds(self) -> int:
        """Rounds over the input vector."""
        return self.rows // self.pe

    @property
    def col_folds(self) -> int:
        """Beats of an input vector."""
        return self.cols // self.simd

    @property
    def x_bits(self) -> int:
        """Width of an input as a signed number."""
        return self.in_bits + 1 - self.in_signed

    @property
    def weight_shape(self) -> tuple[int, int]:
        """Width and depth of the weight memory."""
        return self.pe * self.simd * self.weight_bits, self.row_folds * self.col_folds

    @property
    def buffer_shape(self) -> tuple[int, int]:
        """Width and depth of the input buffer: two vectors, each filled up to a power of two; none for one round."""
        return self.simd * self.in_bits, 0 if self.row_folds == 1 else 2 << clog2(self.col_folds)

    @property
    def buffer_luts(self) -> int:
        """LUTs of the input buffer in LUT RAM: RAM32M holds 32 x 6 bits in four, RAM64M 64 x 3."""
        width, depth = self.buffer_shape
        if depth <= 32:
            return 4 * -(-width // 6) if depth else 0
        banks = -(-depth // 64)
        return 4 * banks * -(-width // 3) + width * (-(-(banks - 1) // 3) if banks > 1 else 0)

    @property
    def buffer_block(self) -> bool:
        """Whether the input buffer goes to block RAM, because that costs the board less."""
        width, depth = self.buffer_shape
        return depth > 0 and block_count(width, depth) * LUTS_PER_BRAM18 < self.buffer_luts

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """Activations."""
        return (
            Stream(
                tokens=self.tokens,
                channels=self.cols,
                lanes=self.simd,
                bits=self.in_bits,
                signed=bool(self.in_signed),
            ),
        )

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """Sums, signed."""
        return (Stream(tokens=self.tokens, channels=self.rows, lanes=self.pe, bits=self.acc_bits, signed=True),)

    @property
    def cycles(self) -> int:
        """One for each row fold and column fold of a token."""
        return self.tokens * self.row_folds * self.col_folds

    def foldings(self) -> Iterator[Self]:
        """Every pe and simd, slowest first, multipliers in LUTs and in DSP blocks."""
        pairs = [(p, s) for p in divisors(self.rows) for s in divisors(self.cols)]
        for pe, simd in sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[1])):
            for use_dsp in (0, 1):
                yield replace(self, pe=pe, simd=simd, use_dsp=use_dsp)

    def resources(self) -> Resources:
        """See affine_cost.py."""
        return int_mvau_resources(self)

    def check_params(self, params: Params) -> None:
        """``weights``: rows x cols integers of weight_bits whose sums fit acc_bits for every input."""
        if set(params) != {"weights"}:
            raise ConfigError(f"IntMVAU: given parameters {sorted(params)}; allowed: ['weights']")
        weights = np.asarray(params["weights"])
        if weights.shape != (self.rows, self.cols) or weights.dtype.kind not in "iu":
            raise ConfigError(
                f"IntMVAU: weights are {weights.dtype} of shape {weights.shape}; allowed: integers of shape "
                f"{(self.rows, self.cols)}"
            )
        limit = 1 << (self.weight_bits - 1)
        if weights.min() < -limit or weights.max() >= limit:
            raise ConfigError(
                f"IntMVAU: weights hold {weights.min()} .. {weights.max()}; allowed: {-limit} .. {limit - 1}"
            )
        wide = weights.astype(np.int64)
        up, down = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
        low, high = self.inputs[0].low, self.inputs[0].high
        least, most = int((up * low + down * high).min()), int((up * high + down * low).max())
        out = self.outputs[0]
        if least < out.low or most > out.high:
            raise ConfigError(
                f"IntMVAU: sums can reach {least} .. {most}; acc_bits={self.acc_bits} allows {out.low} .. {out.high}"
            )

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """``frames[0]`` is tokens x cols; the sums are tokens x rows."""
        (frame,) = frames
        x = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.cols)
        return (x @ np.asarray(params["weights"], dtype=np.int64).T,)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_int_mvau."""
        self.check_params(params)
        # words: row fold, column fold; fields: lanes, in each the columns, both ascending from the low bits
        folded = np.asarray(params["weights"]).reshape(self.row_folds, self.pe, self.col_folds, self.simd)
        words = folded.transpose(0, 2, 1, 3).reshape(-1, self.pe * self.simd)
        return RtlInstance(
            module="bvit_int_mvau",
            parameters={
                "PE": self.pe,
                "SIMD": self.simd,
                "ROW_FOLDS": self.row_folds,
                "COL_FOLDS": self.col_folds,
                "IN_BITS": self.in_bits,
                "IN_SIGNED": self.in_signed,
                "WEIGHT_BITS": self.weight_bits,
                "ACC_BITS": self.acc_bits,
                "USE_DSP": self.use_dsp,
                "WEIGHT_BLOCK": int(block_pays(*self.weight_shape)),
                "BUFFER_BLOCK": int(self.buffer_block),
            },
            memories={"WEIGHT_FILE": pack_words(words, self.weight_bits)},
        )
