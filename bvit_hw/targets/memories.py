"""What memories take of an FPGA, in LUTs, blocks or UltraRAM, and where a memory is better put.

Every operator asks here, so that a target answers for all of them. The counts are those of Yosys for the modules of
rtl/, which differ in how they join the banks of deep memories; :class:`Join` names the ways.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from bvit_hw.errors import ConfigError
from bvit_hw.targets.cost import Resources

#: bits of an UltraRAM's bytes, as its write enables may be set (UG573: BWE_MODE)
ULTRA_BYTES = (8, 9)
#: half blocks that each UltraRAM has to spare: a card has about four times as many of them
HALVES_AN_ULTRA = 3


class Join(Enum):
    """How the banks of a LUT RAM deeper than one cell are joined, and its words filled into cells."""

    #: a multiplexer, four banks a LUT6 (bvit_fifo.sv, bvit_replay.sv in bvit_int_mvau.sv)
    SELECT = "select"
    #: the same, and from the third bank on a decoder in front (bvit_replay.sv in bvit_binary_mvau.sv)
    DECODE = "decode"
    #: as bvit_ram.sv does it: fitted
    LINE = "line"
    #: one bank only, whose last cell is filled up bit by bit (lanes of bvit_ram.sv)
    BITS = "bits"


@dataclass(frozen=True, kw_only=True)
class Memories:
    """The memories of a target.

    ``lut_ram``: words x bits of the cells of ``lut_ram_luts`` LUTs, one port writing, one reading, smallest first.
    ``block_shapes``: words x bits that a half block or a whole one can have, and how many halves that is;
    ``byte_bits``: bits that a write enable of a block covers. ``table_words``: words of one bit that a LUT holds as a
    constant. ``ultra_shape``: words x bits of an UltraRAM, which has no other shape and no contents at power-up; None
    where the target has none.
    """

    lut_ram: tuple[tuple[int, int], ...]
    lut_ram_luts: int
    block_shapes: tuple[tuple[int, int, int], ...]
    byte_bits: int
    table_words: int
    #: cycles by which a LUT delays a bit
    shift_bits: int
    #: LUTs for each half of a block: a table moves into blocks where it takes more
    table_luts_per_half: float
    #: the same for a buffer
    buffer_luts_per_half: float
    #: fitted to bvit_ram.sv: LUTs for a bit and for a bank of what joins them
    line_bit: float
    line_bank: float
    #: fitted to tables of random contents, by the most words for which it holds: LUTs a bit
    table_excess: tuple[tuple[float, float], ...]
    #: tables of a LUT each that a LUT's own multiplexers join, and how many of these a further LUT joins
    tables_joined: int = 4
    join_ways: int = 4
    ultra_shape: tuple[int, int] | None = None

    @property
    def shallow_words(self) -> int:
        """Words of the smallest LUT RAM cell."""
        return self.lut_ram[0][0]

    @property
    def cell_words(self) -> int:
        """Words of the deepest LUT RAM cell: what is deeper takes several banks, or a block."""
        return self.lut_ram[-1][0]

    # ---- LUTs ----------------------------------------------------------------------------------------------------

    def lut_ram_cost(self, width: int, depth: int, join: Join = Join.SELECT) -> float:
        """LUTs of ``depth`` words of ``width`` bits in LUT RAM; a single word is registers."""
        if depth <= 1:
            return 0
        words, bits = next((cell for cell in self.lut_ram if cell[0] >= depth), self.lut_ram[-1])
        if join is Join.BITS:
            return self.lut_ram_luts * (width // bits) + min(self.lut_ram_luts, 2 * (width % bits))
        banks = -(-depth // words)
        cells = self.lut_ram_luts * -(-width // bits)
        if banks == 1:
            return cells
        if join is Join.LINE:
            return round(banks * (cells + self.line_bit * width + self.line_bank))
        selected = banks * cells + width * -(-(banks - 1) // 3)
        return selected + 8 * max(banks - 2, 0) if join is Join.DECODE else selected

    def table_luts(self, width: int, depth: int) -> float:
        """LUTs of a read-only memory kept in lookup tables, as Yosys counts them (random contents).

        A LUT holds ``table_words`` words of a bit, multiplexers beside the LUTs join ``tables_joined`` of them, then
        LUTs join those, which Yosys does ever less well. Of eight words and fewer many columns are equal or a plain
        address bit.
        """
        if depth <= 2:
            return 0.0
        if depth <= 4:
            return float(min(width, 10))
        excess = next(factor for words, factor in self.table_excess if depth <= words)
        if depth <= self.table_words:
            return width * excess
        groups = -(-depth // (self.tables_joined * self.table_words))
        return width * excess * (-(-depth // self.table_words) + -(-(groups - 1) // (self.join_ways - 1)))

    # ---- blocks --------------------------------------------------------------------------------------------------

    def halves(self, width: int, depth: int) -> int:
        """Half blocks of a buffer: the best tiling by one shape and a rest."""
        return _halves(self.block_shapes, width, depth)

    def banked_halves(self, width: int, depth: int) -> tuple[int, int]:
        """Fewest half blocks of a memory and, with them, fewest banks behind one another."""
        return _banked_halves(self.block_shapes, width, depth)

    def table_halves(self, width: int, depth: int) -> int:
        """Half blocks of a table: one shape of half a block for all of it."""
        return min(-(-depth // words) * -(-width // bits) for words, bits, halves in self.block_shapes if halves == 1)

    def enabled_halves(self, lanes: int, lane_bits: int, depth: int) -> int:
        """Half blocks of a memory with a write enable for each lane: a lane takes whole bytes."""
        width = lanes * -(-lane_bits // self.byte_bits) * self.byte_bits if lanes > 1 else lane_bits
        shapes = [(words, bits) for words, bits, halves in self.block_shapes if halves == 1]
        words, bits = next((shape for shape in shapes if depth <= shape[0]), shapes[-1])
        return -(-depth // words) * -(-width // bits)

    # ---- UltraRAM ------------------------------------------------------------------------------------------------

    def ultra(self, width: int, depth: int) -> Resources:
        """Cost of a buffer in UltraRAM, which nothing but its writer may have to fill (gen_ultra of bvit_fifo.sv).

        Several banks lie behind one another, or side by side in columns of whole bytes where that takes fewer. Behind
        them is a multiplexer, and registers for the address's upper bits; before them a LUT a bank for the write
        enable. Raises ConfigError where the target has no UltraRAM.
        """
        if self.ultra_shape is None:
            raise ConfigError(f"a buffer of {depth} words of {width} bits in UltraRAM: the target has none")
        words, bits = self.ultra_shape
        banks = -(-depth // words)
        column = min(-(-width // byte) * byte for byte in ULTRA_BYTES)
        blocks = min(banks * -(-width // bits), -(-banks * column // bits))
        if banks == 1:
            return Resources(uram=blocks)
        # Four banks a LUT6; of more ABC makes a little less of it.
        select = 1 if banks <= 4 else (banks + 2) // 3
        return Resources(uram=blocks, lut=width * select + banks, ff=(banks - 1).bit_length())

    def ultra_lanes(self, lanes: int, lane_bits: int, depth: int) -> Resources:
        """Cost of a memory with a write enable for each lane in UltraRAM (bvit_ram.sv): a lane takes whole bytes.

        Raises ConfigError where the target has no UltraRAM, or ``depth`` is more than one has.
        """
        if self.ultra_shape is None or depth > self.ultra_shape[0]:
            there = f"up to {self.ultra_shape[0]} words" if self.ultra_shape else "none, the target has no UltraRAM"
            raise ConfigError(f"a memory of {depth} words of {lanes} x {lane_bits} bits in UltraRAM; allowed: {there}")
        column = lane_bits if lanes == 1 else min(-(-lane_bits // byte) * byte for byte in ULTRA_BYTES)
        return Resources(uram=-(-lanes * column // self.ultra_shape[1]))

    def ultra_holds(self, depth: int) -> bool:
        """Whether the target has UltraRAM, and one of it is deep enough."""
        return self.ultra_shape is not None and depth <= self.ultra_shape[0]

    @staticmethod
    def ultra_pays(block: Resources, ultra: Resources) -> bool:
        """Whether UltraRAM spares so much block RAM that an operator is worth offering with it."""
        return block.bram18 - ultra.bram18 >= HALVES_AN_ULTRA * ultra.uram

    # ---- both ----------------------------------------------------------------------------------------------------

    def buffer(self, width: int, depth: int, *, block: bool) -> Resources:
        """Cost of a buffer of lines in the given style, without its read register; a single word is a register."""
        if block and depth > 1:
            return Resources(bram18=self.halves(width, depth))
        return Resources(lut=self.lut_ram_cost(width, depth, Join.LINE), ff=width if depth == 1 else 0)

    def rom(self, width: int, depth: int, *, block: bool) -> Resources:
        """Cost of a read-only memory of incompressible contents in blocks or as constants in LUTs."""
        if not block:
            # What joins up to four banks (MUXF7, MUXF8) are no LUTs. The word is in registers (bvit_rom.sv).
            return Resources(lut=width * -(-depth // self.table_words), ff=width)
        halves, banks = self.banked_halves(width, depth)
        # Four banks a LUT6 of the multiplexer behind them.
        return Resources(bram18=halves, lut=0 if banks == 1 else width * -(-banks // 4))

    def tables(self, shapes: Iterable[tuple[int, int]]) -> tuple[float, int]:
        """LUTs and half blocks of tables of these widths and depths, each where it costs less."""
        in_block = [(shape, self.table_in_block(*shape)) for shape in shapes]
        luts = sum(self.table_luts(*shape) for shape, block in in_block if not block)
        return luts, sum(self.table_halves(*shape) for shape, block in in_block if block)

    # ---- which of the two ----------------------------------------------------------------------------------------

    def table_in_block(self, width: int, depth: int) -> bool:
        """Whether blocks cost the target less than lookup tables for a read-only memory."""
        return self.table_halves(width, depth) * self.table_luts_per_half < self.table_luts(width, depth)

    def replay_in_block(self, width: int, depth: int) -> bool:
        """Whether a buffer of whole vectors goes into blocks: it weighs as a table does."""
        return depth > 0 and self.table_halves(width, depth) * self.table_luts_per_half < self.lut_ram_cost(
            width, depth
        )

    def buffer_in_block(self, width: int, depth: int) -> bool:
        """Whether a buffer of lines goes into blocks: less has to be saved, because LUTs are what runs out first."""
        return depth > self.shallow_words and self.lut_ram_cost(
            width, depth, Join.LINE
        ) > self.buffer_luts_per_half * self.halves(width, depth)


@lru_cache(maxsize=1 << 16)
def _halves(shapes: tuple[tuple[int, int, int], ...], width: int, depth: int) -> int:
    if depth <= 0:
        return 0
    return min(
        depth // words * -(-width // bits) * halves
        + (min(-(-width // b) * h for w, b, h in shapes if w >= rest) if (rest := depth % words) else 0)
        for words, bits, halves in shapes
    )


@lru_cache(maxsize=1 << 16)
def _banked_halves(shapes: tuple[tuple[int, int, int], ...], width: int, depth: int) -> tuple[int, int]:
    choices = []
    for words, bits, halves in shapes:
        beside = -(-width // bits) * halves
        banks, rest = divmod(depth, words)
        if banks == 0 or (banks, rest) == (1, 0):
            choices.append((beside, 1))
        else:
            more = _banked_halves(shapes, width, rest) if rest else (0, 0)
            choices.append((banks * beside + more[0], banks + more[1]))
    return min(choices)
