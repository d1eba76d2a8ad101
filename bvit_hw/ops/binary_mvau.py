"""BinaryMVAU: binary matrix times binary vectors by XNOR and popcount, folded pe x simd."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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
    Memory,
    Params,
    Resources,
    RtlInstance,
    Stream,
    clog2,
    divisors,
    require_divisor,
)
from bvit_hw.ops.hls import HlsInstance, HlsTable
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.popcount import decode, encode, is_shared, level_sizes, popcount_size, word_positions
from bvit_hw.targets import Target
from bvit_hw.targets.memories import Join

#: Modules around Xilinx primitive cells, and models of the cells for simulation only: of 7-series (primitives=1) and
#: of UltraScale (2).
PRIMITIVE_SOURCES = ("bvit_xilinx_carry.sv", "bvit_xilinx_chain.sv", "bvit_xilinx_ternary.sv")
PRIMITIVE_MODELS = ("LUT6.sv", "LUT6_2.sv", "CARRY4.sv")
ULTRASCALE_MODELS = (*PRIMITIVE_MODELS[:2], "CARRY8.sv")


def models_of(primitives: int) -> tuple[str, ...]:
    """Models of the cells that USE_PRIMITIVES of this number instantiates."""
    return ((), PRIMITIVE_MODELS, ULTRASCALE_MODELS)[primitives]


def pack_weights(weights: np.ndarray, *, pe: int, simd: int, structure: str = "auto") -> Memory:
    """Memory lines of bvit_binary_mvau.sv for a matrix of +-1.

    ``weights`` is rows x cols. Line ``nf * (cols // simd) + sf`` holds rows ``nf * pe ...`` and columns
    ``sf * simd ...``; bit ``i * pe + j`` of a line is position ``i`` of lane ``j``'s word, encoded by
    :func:`bvit_hw.ops.popcount.encode`. Raises ConfigError for other values than +-1, FoldingError when ``pe`` or
    ``simd`` does not divide.
    """
    weights = np.asarray(weights)
    if weights.ndim != 2 or not np.isin(weights, (-1, 1)).all():
        raise ConfigError(f"binary weights: shape {weights.shape}; allowed: a matrix (rows x cols) of -1 and +1")
    rows, cols = weights.shape
    _check_folding("binary weights", rows=rows, cols=cols, pe=pe, simd=simd)
    bits = (weights > 0).astype(np.uint8).reshape(rows // pe, pe, cols // simd, simd).transpose(0, 2, 1, 3)
    words = encode(bits, structure)  # nf x sf x pe x positions
    lines = words.transpose(0, 1, 3, 2).reshape(-1, words.shape[-1] * pe)
    packed = np.packbits(lines, axis=1, bitorder="little")
    return Memory(width=lines.shape[1], words=[int.from_bytes(line.tobytes(), "little") for line in packed])


def unpack_weights(
    lines: Sequence[int], *, rows: int, cols: int, pe: int, simd: int, structure: str = "auto"
) -> np.ndarray:
    """Inverse of :func:`pack_weights`: rows x cols, int8, +-1. ConfigError when the lines are not such a memory."""
    _check_folding("binary weights", rows=rows, cols=cols, pe=pe, simd=simd)
    positions = word_positions(simd, structure)
    depth = (rows // pe) * (cols // simd)
    if len(lines) != depth:
        raise ConfigError(f"binary weights: {len(lines)} memory lines; {rows} x {cols} with these foldings has {depth}")
    size = (positions * pe + 7) // 8
    packed = np.frombuffer(b"".join(line.to_bytes(size, "little") for line in lines), dtype=np.uint8)
    bits = np.unpackbits(packed.reshape(depth, size), axis=1, bitorder="little")[:, : positions * pe]
    words = bits.reshape(rows // pe, cols // simd, positions, pe).transpose(0, 1, 3, 2)
    plain = decode(words, simd, structure).transpose(0, 2, 1, 3).reshape(rows, cols)
    return np.where(plain == 1, 1, -1).astype(np.int8)


def _check_folding(where: str, *, rows: int, cols: int, pe: int, simd: int) -> None:
    require_divisor(where, "pe", pe, rows, "rows")
    require_divisor(where, "simd", simd, cols, "columns")


@dataclass(frozen=True, kw_only=True)
class BinaryMVAU(HwOp):
    """Binary rows x cols matrix applied to each token of cols bits; see bvit_binary_mvau.sv.

    ``pe`` rows and ``simd`` columns are worked on in a cycle; ``use_bram`` puts the weights into block RAM (1) or
    into LUTs (0). ``primitives`` builds the shared-parity popcount of Xilinx LUT6_2 and CARRY4 (1) or CARRY8 cells (2),
    or leaves it to the synthesis tool (0); it is no folding, and without effect where ``simd`` is too small for that
    structure.
    ``params``: ``weights``, rows x cols, +-1. Input bits: 1 stands for +1; results are signed dot products.
    """

    op_type: ClassVar[str] = "BinaryMVAU"
    contract_node: ClassVar[str] = "BinaryLinear"
    zero_fields: ClassVar[tuple[str, ...]] = ("primitives",)
    folding_fields: ClassVar[tuple[str, ...]] = ("simd", "pe", "use_bram")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_popcount_pkg.sv",
        "bvit_popcount_parity.sv",
        "bvit_popcount_majority.sv",
        "bvit_popcount_compress.sv",
        "bvit_popcount_chain.sv",
        "bvit_popcount_shared.sv",
        "bvit_popcount_plain.sv",
        "bvit_popcount_accumulate.sv",
        "bvit_rom.sv",
        "bvit_loop_counter.sv",
        "bvit_ram.sv",
        "bvit_replay.sv",
        "bvit_binary_mvau.sv",
    )

    tokens: int
    cols: int
    rows: int
    simd: int
    pe: int
    use_bram: int = 1
    primitives: int = 0

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x, out = tensors[node.inputs[0]], tensors[node.output]
        return cls(tokens=x.tokens, cols=x.channels, rows=out.channels, simd=1, pe=1)

    def check_fields(self) -> None:
        """Shape and folding."""
        _check_folding("BinaryMVAU", rows=self.rows, cols=self.cols, pe=self.pe, simd=self.simd)
        if self.use_bram not in (0, 1):
            raise FoldingError(f"BinaryMVAU: use_bram={self.use_bram}; allowed: 0, 1")
        if self.primitives not in (0, 1, 2):
            raise ConfigError(f"BinaryMVAU: primitives={self.primitives}; allowed: 0, 1, 2")

    @property
    def has_primitives(self) -> bool:
        """Whether the module instantiates Xilinx cells: asked for, and the structure that has them is built."""
        return bool(self.primitives) and is_shared(self.simd)

    @property
    def sources(self) -> tuple[str, ...]:
        """With primitives the modules around the cells come first."""
        return (*PRIMITIVE_SOURCES, *self.rtl_sources) if self.has_primitives else self.rtl_sources

    @property
    def cell_models(self) -> tuple[str, ...]:
        """Models of LUT6, LUT6_2 and CARRY4 or CARRY8 where they are instantiated."""
        return models_of(self.primitives) if self.has_primitives else ()

    @property
    def acc_bits(self) -> int:
        """Width of a result: -cols .. cols, signed."""
        return clog2(self.cols + 1) + 1

    @property
    def depth(self) -> int:
        """Words of the weight memory, which is also the cycles a token."""
        return (self.rows // self.pe) * (self.cols // self.simd)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """Activations, one bit a channel."""
        return (Stream(tokens=self.tokens, channels=self.cols, lanes=self.simd, bits=1, signed=False),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """Dot products."""
        return (Stream(tokens=self.tokens, channels=self.rows, lanes=self.pe, bits=self.acc_bits, signed=True),)

    @property
    def cycles(self) -> int:
        """One a memory word and token."""
        return self.tokens * self.depth

    @property
    def intake(self) -> Intake:
        """The next token is stored while it works on the present one."""
        return Intake.STORES

    @property
    def ready_passes(self) -> bool:
        """Where its input is shown once and every beat gives a result."""
        return self.rows == self.pe and self.cols == self.simd

    @property
    def ready_tables(self) -> int:
        """Its ready is a register, or where its input is shown once a table."""
        return int(self.rows == self.pe)

    @property
    def lags(self) -> tuple[float, ...]:
        """A token."""
        return (1.0 / self.tokens,)

    def foldings(self) -> Iterator[Self]:
        """Every pe and simd, weights in block RAM, and in LUTs where a LUT holds a word's bit (64 words)."""
        pairs = [(p, s) for p in divisors(self.rows) for s in divisors(self.cols)]
        for pe, simd in sorted(pairs, key=lambda pair: (pair[0] * pair[1], pair[1])):
            folded = self.fold(pe=pe, simd=simd, use_bram=1)
            if folded.depth > 1:
                yield folded
            if folded.depth <= self.target.memories.table_words:
                yield folded.fold(use_bram=0)

    def on(self, target: Target) -> Self:
        """With the primitives that the target has."""
        return replace(self, target=target, primitives=target.vendor_cells)

    def cost_terms(self) -> CostTerms:
        """LUTs and registers from the structure's own size, block RAM from its shape; see docs/binary_mvau.md."""
        memories = self.target.memories
        sum_bits = clog2(self.cols + 1)
        lane, plain, common = float(sum_bits), 0, 0
        if is_shared(self.simd):
            size = popcount_size(self.simd)
            cells = self.primitives > 0
            lane += size.primitive_lane_luts if cells else size.lane_luts(self.target.weights("Popcount", "lut"))
            lane_ff = size.lane_registers - (size.row_bits if cells else 0)
            common, common_ff = size.shared_parities, sum(level_sizes(self.simd))
        else:
            plain = self.simd
            lane_ff, common_ff = self.simd.bit_length(), self.simd
        registers = self.pe * (lane_ff + 2 * sum_bits) + common_ff + self.simd
        counter = self.depth.bit_length()
        weights = memories.rom(word_positions(self.simd) * self.pe, self.depth, block=bool(self.use_bram))
        # two input tokens, unless there is only one neuron fold
        words = 0 if self.pe == self.rows else 2 * (self.cols // self.simd)
        return CostTerms(
            circuit="BinaryMVAU",
            lut={"lane": self.pe * lane, "plain": self.pe * plain, "parity": common, "control": counter},
            ff={"one": 1, "register": registers, "control": counter},
            exact=weights + Resources(lut=memories.lut_ram_cost(self.simd, words, Join.DECODE)),
            whole=True,
        )

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``weights``: rows x cols, +-1."""
        return {"weights": ParamSpec(shape=(self.rows, self.cols), bipolar=True)}

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """``frames[0]`` is tokens x cols of 0 and 1; the dot products are tokens x rows."""
        (frame,) = frames
        signs = 2 * np.asarray(frame, dtype=np.float32).reshape(self.tokens, self.cols) - 1
        # float32 is exact here: |sum| <= cols < 2^24, and it takes the fast matrix product.
        product = signs @ np.asarray(params["weights"], dtype=np.float32).T
        return (product.astype(np.int64),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_binary_mvau."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_binary_mvau",
            parameters={
                "ROWS": self.rows,
                "COLS": self.cols,
                "PE": self.pe,
                "SIMD": self.simd,
                "ACC_W": self.acc_bits,
                "ROM_BLOCK": self.use_bram,
                "SHARED": int(is_shared(self.simd)),
                "USE_PRIMITIVES": self.primitives if self.has_primitives else 0,
            },
            memories={"MEM_FILE": pack_weights(params["weights"], pe=self.pe, simd=self.simd)},
        )

    def hls(self, params: Params) -> HlsInstance:
        """``binary_mvau``: a weight is a word of ``simd`` bits for each row at work, 1 for +1, column 0 lowest."""
        self.check_params(params)
        bits = np.asarray(params["weights"]) > 0
        folded = bits.reshape(self.rows // self.pe, self.pe, self.cols // self.simd, self.simd).transpose(0, 2, 1, 3)
        packed = np.packbits(folded, axis=-1, bitorder="little")
        words = [int.from_bytes(word.tobytes(), "little") for word in packed.reshape(-1, packed.shape[-1])]
        weights = np.array(words, dtype=np.int64 if self.simd < 64 else object).reshape(self.depth, self.pe)
        return HlsInstance(
            header="binary_mvau.hpp",
            function="binary_mvau",
            shape="BinaryMvauShape",
            config={name: getattr(self, name) for name in ("tokens", "cols", "rows", "simd", "pe")},
            tables={
                "weights": HlsTable(
                    values=weights,
                    bits=self.simd,
                    signed=False,
                    # One memory with all rows' words side by side, as the RTL has it: a memory a row takes four times
                    # the blocks where the words are narrow.
                    reshape=(2,),
                    storage="bram" if self.use_bram else "lutram",
                )
            },
        )
