"""Read-only memories of per-channel operators (bvit_coef_rom.sv): packing of words, cost, choice of the style."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.ops.base import Memory, Resources
from bvit_hw.ops.block_ram import BLOCK_RAM_SHAPES, LUTS_PER_BRAM18


def pack_words(fields: np.ndarray, bits: int | Sequence[int]) -> Memory:
    """Memory of words x fields integers in two's complement, field 0 in the low bits.

    Each field is ``bits`` bits wide, or as wide as ``bits`` says of it.
    """
    fields = np.asarray(fields, dtype=np.int64)
    widths = np.full(fields.shape[1], bits) if isinstance(bits, int) else np.array(bits, dtype=np.int64)
    # one column for each bit of a word: its field, shifted by its place in the field
    places = np.concatenate([np.arange(width) for width in widths])
    table = (np.repeat(fields, widths, axis=1) >> places) & 1
    packed = np.packbits(table.astype(np.uint8), axis=1, bitorder="little")
    return Memory(width=len(places), words=[int.from_bytes(row.tobytes(), "little") for row in packed])


def block_count(width: int, depth: int) -> int:
    """18-Kbit block RAMs of a memory of ``depth`` words of ``width`` bits."""
    return min(-(-depth // words) * -(-width // bits) for words, bits, halves in BLOCK_RAM_SHAPES if halves == 1)


def table_luts(width: int, depth: int) -> float:
    """LUTs of a memory kept in lookup tables, as Yosys counts them (random contents).

    A LUT6 holds 64 words of a bit, MUXF7 and MUXF8 join four of them, then LUTs join those, which Yosys does ever less
    well. Of eight words and fewer many columns are equal or a plain address bit.
    """
    if depth <= 2:
        return 0.0
    if depth <= 4:
        return float(min(width, 10))
    if depth <= 64:
        return width * (0.75 if depth <= 8 else 1.0)
    groups = -(-depth // 256)
    excess = 1.0 if groups == 1 else 1.5 if groups <= 4 else 3.0
    return width * excess * (-(-depth // 64) + -(-(groups - 1) // 3))


def block_pays(width: int, depth: int) -> bool:
    """Whether block RAM costs the board less than lookup tables."""
    return block_count(width, depth) * LUTS_PER_BRAM18 < table_luts(width, depth)


def memory_resources(width: int, depth: int) -> Resources:
    """Cost of the memory in the style that :func:`block_pays` chooses, without registers behind it."""
    if block_pays(width, depth):
        return Resources(bram18=block_count(width, depth))
    return Resources(lut=table_luts(width, depth))
