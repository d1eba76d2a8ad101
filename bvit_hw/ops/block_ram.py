"""Block RAM of Xilinx FPGAs, counted in halves of 18 Kbit (UG473), and what it is worth against LUTs."""

from __future__ import annotations

#: LUTs that an XC7Z020 has for each half (53200 / 280): read-only tables go where they take the smaller share of it
LUTS_PER_BRAM18 = 190
#: LUTs that a half must save before a buffer moves into it: less, because LUTs are what runs out first
BUFFER_LUTS_PER_BRAM18 = 80
#: words x bits that a half of a block RAM or a whole one can have, one port writing, one reading, and how many halves
BLOCK_RAM_SHAPES = (
    *((512 << n, width, 1) for n, width in enumerate((36, 18, 9, 4, 2, 1))),
    *((512 << n, width, 2) for n, width in enumerate((72, 36, 18, 9, 4, 2, 1))),
)


def bram18s(width: int, depth: int) -> int:
    """Halves of a memory of ``depth`` words of ``width`` bits: the best tiling by one shape and a rest."""
    if depth <= 0:
        return 0
    return min(
        depth // words * -(-width // bits) * halves
        + (min(-(-width // b) * h for w, b, h in BLOCK_RAM_SHAPES if w >= rest) if (rest := depth % words) else 0)
        for words, bits, halves in BLOCK_RAM_SHAPES
    )
