"""IntMVAU: integer matrix times integer vectors, folded pe x simd; the stem's and the classifier's linear layer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import (
    CostTerms,
    HwOp,
    Intake,
    IntArray,
    Params,
    Resources,
    RtlInstance,
    Stream,
    divisors,
    require_divisor,
)
from bvit_hw.ops.circuits import booth_luts, booth_registers, tree_bits
from bvit_hw.ops.coef_memory import pack_words
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.serial_mvau import SerialMVAU, serial_lanes


@dataclass(frozen=True, kw_only=True)
class IntMVAU(HwOp):
    """acc = weights . x for each token of ``cols`` integers, ``rows`` results.

    Either ``pe`` rows and ``simd`` columns a cycle (bvit_int_mvau.sv), where ``use_dsp`` puts the multipliers into
    DSP blocks (1) or LUTs (0); or with ``serial`` one bit of all inputs a cycle, ``pe * in_bits`` rows at once, which
    takes tables and adders but no multipliers (bvit_serial_mvau.sv). There ``simd`` is only how many inputs arrive
    at once, and ``use_dsp`` is 0. ``params``: ``weights`` (rows x cols), signed, ``weight_bits`` wide.
    """

    op_type: ClassVar[str] = "IntMVAU"
    contract_node: ClassVar[str] = "IntLinear"
    zero_fields: ClassVar[tuple[str, ...]] = ("in_signed",)
    folding_fields: ClassVar[tuple[str, ...]] = ("simd", "pe", "use_dsp", "serial")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_loop_counter.sv",
        "bvit_ram.sv",
        "bvit_replay.sv",
        "bvit_rom.sv",
        "bvit_booth_mul.sv",
        "bvit_affine_mul.sv",
        "bvit_adder_tree.sv",
        "bvit_int_mvau.sv",
    )
    serial_sources: ClassVar[tuple[str, ...]] = ("bvit_beat_counter.sv", "bvit_serial_table.sv", "bvit_serial_mvau.sv")

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
    serial: int = 0

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x, out = tensors[node.inputs[0]], tensors[node.output]
        return cls(
            tokens=x.tokens, cols=x.channels, rows=out.channels, in_bits=x.bits, in_signed=int(x.signed),
            weight_bits=int(node.attrs["weight_bits"]), acc_bits=out.bits, simd=1, pe=1, use_dsp=0,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        dsp = self.target.dsp
        ranges = {
            "tokens": (1, None),
            "cols": (1, None),
            "rows": (1, None),
            "in_signed": (0, 1),
            # a signed multiplier sees an unsigned input with a zero in front
            "in_bits": (1 + self.in_signed, dsp.data - 1 + self.in_signed),
            "weight_bits": (2, dsp.coef),
            "acc_bits": (2, 48),
        }
        for name, (low, high) in ranges.items():
            value = getattr(self, name)
            if value < low or (high is not None and value > high):
                raise ConfigError(f"IntMVAU: {name}={value}; allowed: {low} .. {high or 'any'}")
        require_divisor("IntMVAU", "pe", self.pe, self.rows, "rows")
        require_divisor("IntMVAU", "simd", self.simd, self.cols, "columns")
        if self.use_dsp not in (0, 1):
            raise FoldingError(f"IntMVAU: use_dsp={self.use_dsp}; allowed: 0, 1")
        if self.serial not in (0, 1) or (self.serial and self.use_dsp):
            raise FoldingError(
                f"IntMVAU: serial={self.serial} with use_dsp={self.use_dsp}; allowed: serial 0, or 1 with use_dsp=0"
            )
        if self.serial:
            self.serial_unit.check()

    @property
    def serial_unit(self) -> SerialMVAU:
        """What it is with ``serial``."""
        return SerialMVAU(
            cols=self.cols, rows=self.rows, in_bits=self.in_bits, in_signed=self.in_signed,
            weight_bits=self.weight_bits, acc_bits=self.acc_bits, simd=self.simd, pe=self.pe,
        )  # fmt: skip

    @property
    def sources(self) -> tuple[str, ...]:
        """The serial unit is another module."""
        return self.serial_sources if self.serial else self.rtl_sources

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
        """Width and depth of the input buffer: two vectors; none for one round."""
        return self.simd * self.in_bits, 0 if self.row_folds == 1 else 2 * self.col_folds

    @property
    def buffer_block(self) -> bool:
        """Whether the input buffer goes to block RAM, because that costs the board less."""
        return self.target.memories.replay_in_block(*self.buffer_shape)

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
        """One for each row fold and column fold of a token; serial: one for each bit plane and phase."""
        return self.tokens * (self.serial_unit.cycles if self.serial else self.row_folds * self.col_folds)

    @property
    def intake(self) -> Intake:
        """The next token is stored while it works on the present one."""
        return Intake.STORES

    @property
    def ready_passes(self) -> bool:
        """Where its input is shown once, and in the serial unit."""
        return bool(self.serial) or self.row_folds == 1

    @property
    def ready_tables(self) -> int:
        """Whether the last result is taken, then whether there is room for a token."""
        return 5 if self.serial else 3

    @property
    def lags(self) -> tuple[float, ...]:
        """A token."""
        return (1.0 / self.tokens,)

    def foldings(self) -> Iterator[Self]:
        """Every pe and simd, slowest first, multipliers in LUTs and in DSP blocks; then the serial ones."""
        pairs = [(p, s) for p in divisors(self.rows) for s in divisors(self.cols)]
        for pe, simd in sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[1])):
            for use_dsp in (0, 1):
                yield replace(self, pe=pe, simd=simd, use_dsp=use_dsp, serial=0)
        for pe in serial_lanes(self.rows, self.in_bits, self.cols):
            period = self.rows // pe
            for simd in (s for s in divisors(self.cols) if self.cols // s <= period):
                yield replace(self, pe=pe, simd=simd, use_dsp=0, serial=1)

    def cost_terms(self) -> CostTerms:
        """Of the form that it has; the control is about the same in all foldings."""
        return self.serial_unit.cost_terms() if self.serial else self._folded_terms()

    def _folded_terms(self) -> CostTerms:
        memories = self.target.memories
        product = self.x_bits + self.weight_bits
        lanes = self.x_bits + self.pe * self.weight_bits
        # operands of lane s wait s cycles: short waits are registers, from the third on shift registers in LUTs
        srl = sum(lanes * -(-(s - 1) // memories.shift_bits) for s in range(3, self.simd)) if self.use_dsp else 0
        tree = tree_bits(self.simd, product)
        table, halves = memories.tables([self.weight_shape])
        buffer_width, buffer_depth = self.buffer_shape
        if self.buffer_block:
            halves += memories.table_halves(buffer_width, buffer_depth)
        fabric = 0 if self.use_dsp else 1
        weights = self.pe * self.simd * self.weight_bits
        return CostTerms(
            circuit="IntMVAU",
            lut={
                "one": 1,
                "table": table,
                "buffer": 0 if self.buffer_block else memories.lut_ram_cost(buffer_width, buffer_depth),
                "acc": self.pe * self.acc_bits,
                "booth": fabric * self.pe * self.simd * booth_luts(self.x_bits, self.weight_bits),
                "tree": fabric * self.pe * tree,
                "wait": srl,
            },
            ff={
                "one": 1,
                "out": self.pe * self.acc_bits,
                # Behind block RAM they are the multiplier's operands, which a DSP block has.
                "weight": 0 if memories.table_in_block(*self.weight_shape) and not fabric else weights,
                "wait": 0 if fabric else lanes * sum(min(s, 2) for s in range(self.simd)),
                "product": fabric * self.pe * self.simd * product,
                "middle": fabric * self.pe * self.simd * booth_registers(self.x_bits, self.weight_bits),
                "tree": fabric * self.pe * tree,
            },
            exact=Resources(bram18=halves, dsp=self.pe * self.simd if self.use_dsp else 0),
        )

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``weights``: rows x cols integers of weight_bits."""
        return {"weights": ParamSpec(shape=(self.rows, self.cols), bits=self.weight_bits)}

    def _sum_range(self, weights: np.ndarray) -> tuple[int, int]:
        """Least and most that a sum can be, whatever comes in."""
        wide = np.asarray(weights, dtype=np.int64)
        up, down = np.maximum(wide, 0).sum(axis=1), np.minimum(wide, 0).sum(axis=1)
        low, high = self.inputs[0].low, self.inputs[0].high
        return int((up * low + down * high).min()), int((up * high + down * low).max())

    def check_params(self, params: Params) -> None:
        """Besides what the spec says, sums fit acc_bits for every input."""
        super().check_params(params)
        least, most = self._sum_range(params["weights"])
        out = self.outputs[0]
        if least < out.low or most > out.high:
            raise ConfigError(
                f"IntMVAU: sums can reach {least} .. {most}; acc_bits={self.acc_bits} allows {out.low} .. {out.high}"
            )

    def random_params(self, rng: np.random.Generator) -> dict[str, IntArray]:
        """Uniform over the widest range whose sums fit acc_bits."""
        weights = self.param_specs["weights"].random(rng)
        out = self.outputs[0]
        while self._sum_range(weights)[0] < out.low or self._sum_range(weights)[1] > out.high:
            weights = np.trunc(weights / 2).astype(np.int64)
        return {"weights": weights}

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """``frames[0]`` is tokens x cols; the sums are tokens x rows."""
        (frame,) = frames
        x = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.cols)
        return (x @ np.asarray(params["weights"], dtype=np.int64).T,)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_int_mvau or bvit_serial_mvau."""
        self.check_params(params)
        if self.serial:
            return self.serial_unit.rtl(np.asarray(params["weights"], dtype=np.int64))
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
                "WEIGHT_BLOCK": int(self.target.memories.table_in_block(*self.weight_shape)),
                "BUFFER_BLOCK": int(self.buffer_block),
            },
            memories={"WEIGHT_FILE": pack_words(words, self.weight_bits)},
        )
