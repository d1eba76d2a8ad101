"""The shared-parity XNOR popcount of rtl/prim/bvit_popcount_*.sv: its weight encoding and its size.

Sum of three products = 2 * majority + parity, and the parity is xnor(parity(x), parity(w)): the activations' parity
is computed once for all rows, the weights' parity is stored. So each group of three costs a row one 6-input LUT, and
the parities are a popcount a third as long. See docs/binary_mvau.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bvit_hw.errors import ConfigError

BitArray = NDArray[np.uint8]

#: from this many products on, shared parities cost fewer LUTs than what the synthesis tool makes of a plain sum
#: (SHARED in bvit_binary_mvau.sv; benchmarks/popcount_structures.py measures it)
SHARED_FROM = 7
STRUCTURES = ("auto", "plain", "shared_parity")
#: columns up to this height go into a carry chain (column 1: one more)
_CHAIN_HEIGHT = 6


def level_sizes(n: int) -> list[int]:
    """Products of each level of the parity recursion over ``n`` products, down to one or two."""
    sizes = [n]
    while sizes[-1] > 2:
        sizes.append(sizes[-1] // 3 + sizes[-1] % 3)
    return sizes


def is_shared(simd: int, structure: str = "auto") -> bool:
    """Whether the module builds the shared-parity structure for ``simd`` products; ConfigError for an unknown name."""
    if structure not in STRUCTURES:
        raise ConfigError(f"popcount: structure={structure!r}; allowed: {', '.join(STRUCTURES)}")
    if structure == "shared_parity" and simd < 3:
        raise ConfigError(f"popcount: structure 'shared_parity' with simd={simd}; allowed: 3 or more")
    return structure == "shared_parity" or (structure == "auto" and simd >= SHARED_FROM)


def upper_parities(simd: int) -> int:
    """Group parities of the levels above the first."""
    return sum(size // 3 for size in level_sizes(simd)[1:-1])


def word_positions(simd: int, structure: str = "auto") -> int:
    """Bits of one row's weight word for ``simd`` products: stored upper parities are at most an eighth of it."""
    return simd + min(upper_parities(simd), simd // 8) if is_shared(simd, structure) else simd


def group_parities(bits: BitArray) -> Iterator[BitArray]:
    """Parities of the groups of three of each level of the recursion over ``bits``, ... x n -> ... x n // 3 first.

    A level's parities and what its groups leave over are the next level.
    """
    level = bits
    for size in level_sizes(bits.shape[-1])[:-1]:
        groups = size // 3
        parities = level[..., :groups] ^ level[..., groups : 2 * groups] ^ level[..., 2 * groups : 3 * groups]
        yield parities
        level = np.concatenate([parities, level[..., 3 * groups :]], axis=-1)


def encode(bits: BitArray, structure: str = "auto") -> BitArray:
    """Weight words as the module stores them.

    ``bits`` is ... x simd, 1 stands for +1; the result is ... x word_positions(simd). The third member of each
    group of level 0 gives way to the group's parity; upper parities follow as far as there is room.
    """
    bits = np.asarray(bits, dtype=np.uint8)
    simd = bits.shape[-1]
    if not is_shared(simd, structure):
        return bits.copy()
    groups = simd // 3
    own, *upper = group_parities(bits)
    words = np.concatenate([bits, *upper], axis=-1)[..., : word_positions(simd, structure)]
    words[..., 2 * groups : 3 * groups] = own
    return words


def decode(words: BitArray, simd: int, structure: str = "auto") -> BitArray:
    """Inverse of :func:`encode`; ConfigError when the width is wrong or a stored parity contradicts the weights."""
    words = np.asarray(words, dtype=np.uint8)
    if words.shape[-1] != word_positions(simd, structure):
        raise ConfigError(
            f"popcount: words of {words.shape[-1]} bits; simd={simd} has {word_positions(simd, structure)}"
        )
    bits = words[..., :simd].copy()
    if is_shared(simd, structure):
        groups = simd // 3
        bits[..., 2 * groups : 3 * groups] = next(group_parities(bits))
        if not np.array_equal(encode(bits, structure), words):
            raise ConfigError("popcount: stored parities contradict the weights")
    return bits


@dataclass(frozen=True, kw_only=True)
class PopcountSize:
    """What the shared-parity structure consists of, for ``simd`` products a row.

    Counts are for one row, except ``shared_parities`` (XORs of three, for all rows together).
    """

    simd: int
    shared_parities: int
    majorities: int
    products: int  #: left at the end of the recursion, each an XNOR
    made_parities: int  #: weight parities that are not stored
    counters: int  #: 6:3 counters
    heaps: tuple[tuple[int, ...], ...]  #: column heights behind each pipeline stage, weight one first
    row_bits: int

    @property
    def stages(self) -> int:
        """Pipeline stages of 6:3 counters."""
        return len(self.heaps) - 1

    @property
    def chain_columns(self) -> int:
        """Columns that the two final carry chains add."""
        return sum(1 for height in self.heaps[-1][1:] if height)

    def lane_luts(self, weights: Mapping[str, float]) -> float:
        """LUTs a row by Yosys, portable RTL, from the majorities to the sum of both rows.

        One a majority, product, parity and bit of a shift register where a product waits; counters, chain columns and
        the adder of both rows as ``weights``, the target's coefficients of a Popcount, say: the mapper trades between
        them, since it holds small LUTs cheaper.
        """
        waiting = self.products if self.stages else 0
        two_rows = len(self.heaps[-1]) > 2 or self.products > 1
        return (
            self.majorities
            + self.products
            + self.made_parities
            + waiting
            + weights["counter"] * self.counters
            + weights["column"] * self.chain_columns
            + weights["adder"] * self.row_bits * two_rows
        )

    @property
    def primitive_lane_luts(self) -> int:
        """LUTs a row with Xilinx primitives, from the majorities to both rows; the accumulator adds them for nothing.

        One a majority, product, parity and waiting product, two a counter and two a chain column: nothing is fitted.
        """
        waiting = self.products if self.stages else 0
        return self.majorities + self.products + self.made_parities + waiting + 2 * (self.counters + self.chain_columns)

    @property
    def lane_registers(self) -> int:
        """Registers a row, portable RTL: behind each heap, two rows, their sum (which primitives do without)."""
        waiting = self.products * (self.stages + 2) if self.stages else 0
        return sum(map(sum, self.heaps)) + 3 * self.row_bits - waiting


def popcount_size(simd: int) -> PopcountSize:
    """Size of the shared-parity structure, by the same rules as bvit_popcount_shared.sv."""
    sizes = level_sizes(simd)
    products = sizes[-1]
    majorities = sum(size // 3 for size in sizes[:-1])
    heap = [products, majorities, 0, 0]
    heaps = [tuple(_trim(heap))]
    counters = 0
    while heap[1] > _CHAIN_HEIGHT + 1 or max(heap[2:]) > _CHAIN_HEIGHT:
        groups = [0, *(height // 6 for height in heap[1:]), 0, 0]
        counters += sum(groups)
        heap = [
            (heap[c] if c < len(heap) else 0)
            - 5 * groups[c]
            + (groups[c - 1] if c >= 1 else 0)
            + (groups[c - 2] if c >= 2 else 0)
            for c in range(len(heap) + 2)
        ]
        heaps.append(tuple(_trim(heap)))
    return PopcountSize(
        simd=simd,
        shared_parities=majorities,
        majorities=majorities,
        products=products,
        made_parities=upper_parities(simd) - (word_positions(simd, "shared_parity") - simd),
        counters=counters,
        heaps=tuple(heaps),
        row_bits=simd.bit_length(),
    )


def _trim(heap: list[int]) -> list[int]:
    top = max(c for c, height in enumerate(heap) if height)
    return heap[: top + 1]
