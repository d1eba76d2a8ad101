"""Words of memories, read as plainly as can be."""

from __future__ import annotations

from bvit_hw.ops.base import Memory


def unpack(memory: Memory, bits: int) -> list[list[int]]:
    """Fields of a memory's words, lowest first, as signed numbers, by plain arithmetic."""
    result = []
    for word in memory.words:
        assert 0 <= word < 1 << memory.width
        fields = [word // 2 ** (k * bits) % 2**bits for k in range(memory.width // bits)]
        result.append([f - 2**bits if f >= 2 ** (bits - 1) else f for f in fields])
    return result
