"""MultiPool: four average pools over the token grid with their affines, summed (the branches beside the MLP)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.interval import bits_of
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, IntArray, Memory, Params, Resources, RtlInstance, Stream, divisors
from bvit_hw.ops.circuits import loop_bits
from bvit_hw.ops.coef_memory import pack_words
from bvit_hw.ops.hls import MAX_BEAT_BITS, HlsInstance, HlsTable, Storage
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.pool_common import PoolOp

#: how far the windows look, in the order of the rows of ``coef``: tokens up and down, tokens left and right
REACHES = tuple((rows // 2, cols // 2) for rows, cols in WINDOWS.values())


@dataclass(frozen=True, kw_only=True)
class MultiPool(PoolOp):
    """p = saturate((sum over h3, w3, h5, w5 of coef * window sum + bias) >> out_shift), zeros outside the grid.

    Parameters: ``coef`` 4 x channels, signed ``coef_bits``; ``bias`` channels, signed ``bias_bits``, with the half of
    the rounding shift inside. ``use_dsp``: multipliers in DSP blocks (1) or lookup tables (0). ``ultra``: rows in
    UltraRAM (1), or in LUT RAM or block RAM as they are deep (0).
    """

    op_type: ClassVar[str] = "MultiPool"
    contract_node: ClassVar[str] = "MultiPool"
    zero_fields: ClassVar[tuple[str, ...]] = ("out_shift",)
    folding_fields: ClassVar[tuple[str, ...]] = ("pe", "use_dsp", "ultra")
    rtl_sources: ClassVar[tuple[str, ...]] = (
        "bvit_loop_counter.sv", "bvit_ram.sv", "bvit_delay.sv", "bvit_rom.sv", "bvit_booth_mul.sv",
        "bvit_beat_counter.sv", "bvit_pool_mac.sv", "bvit_saturate.sv", "bvit_pool_rows.sv", "bvit_pool_tokens.sv",
        "bvit_multi_pool.sv",
    )  # fmt: skip

    height: int
    width: int
    channels: int
    in_bits: int
    coef_bits: int
    bias_bits: int
    out_shift: int
    out_bits: int
    pe: int
    use_dsp: int
    ultra: int = 0

    @classmethod
    def from_contract(cls, node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Self:
        """See :class:`HwOp`."""
        x, out = tensors[node.inputs[0]], tensors[node.output]
        return cls(
            height=x.height, width=x.width, channels=x.channels, in_bits=x.bits,
            coef_bits=int(node.attrs["coef_bits"]), bias_bits=bits_of(node.params["bias"]),
            out_shift=int(node.attrs["out_shift"]), out_bits=out.bits, pe=1, use_dsp=0,
        )  # fmt: skip

    def check_fields(self) -> None:
        """Shape and folding."""
        for name in ("in_bits", "coef_bits"):
            if getattr(self, name) < 2:
                raise ConfigError(f"MultiPool: {name}={getattr(self, name)}; allowed: 2 or more")
        self.check_flag("use_dsp")
        self.check_flag("ultra")
        self.check_pe()

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """(height * width) x channels, signed."""
        return (self._stream(self.in_bits),)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """(height * width) x channels, signed."""
        return (self._stream(self.out_bits),)

    def _stream(self, bits: int) -> Stream:
        return Stream(
            tokens=self.height * self.width, channels=self.channels, lanes=self.pe, bits=bits, signed=True
        )

    @property
    def ready_tables(self) -> int:
        """Whether there is room in the banks of rows is known a table later."""
        return 3

    @property
    def lags(self) -> tuple[float, ...]:
        """Two rows and two tokens, which its windows look ahead."""
        return (min(1.0, (2 * self.width + 2) / (self.height * self.width)),)

    def foldings(self) -> Iterator[Self]:
        """Every divisor of the channels, with multipliers in lookup tables and in DSP blocks, slowest first.

        Rows that would be in block RAM may be in UltraRAM where the target has some.
        """
        for pe in divisors(self.channels):
            for use_dsp in (0, 1):
                fold = self.fold(pe=pe, use_dsp=use_dsp, ultra=0)
                yield fold
                if fold._row_block and self.target.memories.ultra_holds(self.width * fold.beats):
                    moved = fold.fold(ultra=1)
                    if self.target.memories.ultra_pays(fold.resources(), moved.resources()):
                        yield moved

    # ---- the module's structure ----------------------------------------------------------------------------------

    @property
    def beats(self) -> int:
        """Beats of a token."""
        return self.channels // self.pe

    @property
    def reach(self) -> int:
        """Tokens that the horizontal windows look to either side."""
        return min(2, self.width - 1)

    @property
    def _v_bits(self) -> int:
        return max(self.in_bits + 3 + self._rom_coef_bits, self.bias_bits) + 1

    @property
    def _rom_coef_bits(self) -> int:
        # The sum of two coefficients needs a bit more.
        return self.coef_bits + (self.height <= 2 or self.width <= 2)

    @property
    def _row_block(self) -> bool:
        return self.target.memories.buffer_in_block(self.pe * self.in_bits, self.width * self.beats)

    @property
    def _token_block(self) -> bool:
        depth = self.reach * self.beats - 1
        return self.target.memories.buffer_in_block(self.pe * self._v_bits, depth)

    @property
    def _rom_words(self) -> tuple[int, int]:
        """Bits a lane of the vertical and the horizontal coefficient memory."""
        pairs = (1 if self.height <= 2 else 2, 1 if self.width <= 2 else 2)
        return self.bias_bits + pairs[0] * self._rom_coef_bits, pairs[1] * self._rom_coef_bits

    @property
    def _coef_block(self) -> bool:
        return self.beats > self.target.memories.shallow_words

    def _row_memories(self) -> list[tuple[int, int]]:
        """Width and depth of the two banks of rows together and of the delay behind; 0 words where there is none."""
        lane, row = self.pe * self.in_bits, self.width * self.beats
        # A delay of n steps is a ring of n - 1 words and a register, up to 3 steps are registers alone.
        return [(min(2, self.height) * lane, row), (min(2, self.height - 1) * lane, row - 1 if row > 3 else 0)]

    def _memories(self) -> list[tuple[int, int, bool]]:
        """Width, depth and style of every memory in LUTs or blocks but the coefficients; 0 words: there is none."""
        lane, beats = self.pe * self.in_bits, self.beats
        ring = [n - 1 if n > 3 else 0 for n in (beats, self.reach * beats)]
        rows = [] if self.ultra else [(*shape, self._row_block) for shape in self._row_memories()]
        return [
            *rows,
            (2 * self.reach * (lane + 2), ring[0] if self.reach else 0, self._token_block),
            (self.pe * self._v_bits, ring[1] if self.reach else 0, self._token_block),
        ]

    def cost_terms(self) -> CostTerms:
        """The terms by lane are counted from the module: adders and multiplexers, Booth multipliers, registers."""
        memories, wide = self.target.memories, self.in_bits + 2
        both_v, both_w = self.height > 2, self.width > 2
        multipliers = self.pe * (2 + both_v + both_w)
        exact = Resources(dsp=multipliers if self.use_dsp else 0)
        if self.ultra:
            (banks, row), (delay, steps) = self._row_memories()
            sides = min(2, self.height)
            exact += memories.ultra_lanes(sides, banks // sides, row)
            exact += memories.ultra_lanes(1, delay, steps) if delay and steps else Resources()
        read_bits = 0
        for width, depth, block in self._memories():
            if width and depth:
                exact += memories.buffer(width, depth, block=block)
                read_bits += 0 if block and depth > 1 else width
        if self.reach and self.beats <= 3:
            read_bits += self.beats * 2 * self.reach * (self.pe * self.in_bits + 2)
        if 0 < self.reach * self.beats <= 3:
            read_bits += self.reach * self.beats * self.pe * self._v_bits
        rom_bits = self.pe * sum(self._rom_words)
        if self._coef_block:
            exact += Resources(bram18=sum(memories.halves(self.pe * bits, self.beats) for bits in self._rom_words))
            rom_bits = 0
        adders = 0
        registers = 2 * wide + 2 * self.in_bits + self.out_bits + self.bias_bits
        if self.height > 1:
            adders += 2 * self.in_bits + 2 * wide
            registers += self.in_bits
        if self.width > 1:
            adders += 2 * wide
            registers += self.in_bits
        for both in (both_v, both_w):
            adders += (2 * self.in_bits + wide) * both
            registers += (3 * wide + self.in_bits) * both
        booth = -(-self._rom_coef_bits // 2) * (self.in_bits + 5)
        fabric = multipliers * (booth + self._v_bits)
        fabric_registers = multipliers * (self._v_bits + 2 * wide + 2 * self._rom_coef_bits)
        counters = loop_bits(self.height, self.height, self.width * self.beats, self.width * self.beats, self.beats)
        table = rom_bits if self.beats > 1 else 0
        return CostTerms(
            circuit=self.op_type, exact=exact,
            lut={"one": 1, "counter": counters, "table": table, "deep_table": table * self.beats,
                 "lane": self.pe * (adders + self.out_bits), "multiplier": 0 if self.use_dsp else fabric},
            ff={"one": 1, "counter": counters, "read": read_bits, "table": table, "lane": self.pe * registers,
                "multiplier": 0 if self.use_dsp else fabric_registers},
        )  # fmt: skip

    # ---- behaviour -----------------------------------------------------------------------------------------------

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``coef``: 4 x channels in the order of REACHES; ``bias``: channels."""
        return {
            "coef": ParamSpec(shape=(len(REACHES), self.channels), bits=self.coef_bits),
            "bias": ParamSpec(shape=(self.channels,), bits=self.bias_bits),
        }

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """(height * width) x channels -> the same."""
        self.check_params(params)
        (x,) = frames
        grid = np.asarray(x, dtype=np.int64).reshape(self.height, self.width, self.channels)
        padded = np.pad(grid, ((2, 2), (2, 2), (0, 0)))
        total = np.broadcast_to(np.asarray(params["bias"], dtype=np.int64), grid.shape).copy()
        for coef, (down, right) in zip(np.asarray(params["coef"], dtype=np.int64), REACHES, strict=True):
            window = sum(
                padded[2 + dy : 2 + dy + self.height, 2 + dx : 2 + dx + self.width]
                for dy in range(-down, down + 1)
                for dx in range(-right, right + 1)
            )
            total += coef * window
        low, high = -(1 << (self.out_bits - 1)), (1 << (self.out_bits - 1)) - 1
        result = np.clip(total >> self.out_shift, low, high)
        return (result.reshape(self.height * self.width, self.channels),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_multi_pool; a lane of V_FILE is bias, c_h5, c_h3, of W_FILE c_w5, c_w3 (high to low).

        Where both windows of a direction cover the same tokens their coefficients are added into one.
        """
        self.check_params(params)
        h3, w3, h5, w5 = np.asarray(params["coef"], dtype=np.int64)
        bias = np.asarray(params["bias"], dtype=np.int64)
        vertical = [h3, h5] if self.height > 2 else [h3 + h5]
        sideways = [w3, w5] if self.width > 2 else [w3 + w5]
        bits = self._rom_coef_bits
        return RtlInstance(
            module="bvit_multi_pool",
            parameters={
                "HEIGHT": self.height, "WIDTH": self.width, "CHANNELS": self.channels, "IN_BITS": self.in_bits,
                "COEF_BITS": bits, "BIAS_BITS": self.bias_bits, "OUT_SHIFT": self.out_shift,
                "OUT_BITS": self.out_bits, "PE": self.pe, "USE_DSP": self.use_dsp,
                "ROW_STYLE": 2 if self.ultra else int(self._row_block), "TOKEN_BLOCK": int(self._token_block),
                "COEF_BLOCK": int(self._coef_block),
            },
            memories={
                "V_FILE": self._memory([*vertical, bias], [*[bits] * len(vertical), self.bias_bits]),
                "W_FILE": self._memory(sideways, [bits] * len(sideways)),
            },
        )  # fmt: skip

    def hls(self, params: Params) -> HlsInstance:
        """``multi_pool``: coefficients 4 x beats x lanes in the order h3, w3, h5, w5, bias beats x lanes."""
        self.check_params(params)
        # What goes from the columns to the rows: an input, and its sums of three and of five.
        column = 3 * self.in_bits + 5
        if self.pe * column > MAX_BEAT_BITS:
            raise ConfigError(
                f"MultiPool: pe={self.pe} inputs with their window sums, {column} bits each, side by side; the HLS "
                f"template takes up to {MAX_BEAT_BITS} bits: fold further, or choose the RTL"
            )
        folded = (self.beats, self.pe)
        storage: Storage = "bram" if self._coef_block else "lutram"
        return HlsInstance(
            header="multi_pool.hpp",
            function="multi_pool",
            shape="MultiPoolShape",
            config=self.attributes(),
            tables={
                "coef": HlsTable(
                    values=np.asarray(params["coef"], dtype=np.int64).reshape(4, *folded),
                    bits=self.coef_bits,
                    signed=True,
                    reshape=(1, 3),
                    storage=storage,
                ),
                "bias": HlsTable(
                    values=np.asarray(params["bias"], dtype=np.int64).reshape(folded),
                    bits=self.bias_bits,
                    signed=True,
                    reshape=(2,),
                    storage=storage,
                ),
            },
        )

    def _memory(self, fields: Sequence[IntArray], bits: Sequence[int]) -> Memory:
        """One word a beat of a token; a lane holds its channel's entry of every field, the first one lowest."""
        return pack_words(np.stack(fields, axis=-1).reshape(self.beats, -1), [*bits] * self.pe)
