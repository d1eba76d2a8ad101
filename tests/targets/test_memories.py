"""What memories cost."""

from __future__ import annotations

import pytest

from bvit_hw.targets import XC7
from bvit_hw.targets.memories import Join


def test_memory_costs_are_those_counted() -> None:
    """Yosys counts of bvit_ram.sv alone."""
    memories = XC7.memories
    shapes = ((8, 16), (20, 32), (8, 33), (64, 64))
    assert [memories.lut_ram_cost(w, d, Join.LINE) for w, d in shapes] == [8, 16, 12, 88]
    for width, depth, counted in ((20, 160, 145), (20, 256, 138), (8, 448, 123), (64, 512, 904), (8, 896, 226)):
        assert memories.lut_ram_cost(width, depth, Join.LINE) == pytest.approx(counted, rel=0.27)
    counts = ((8, 512, 1), (64, 256, 2), (20, 1024, 2), (16, 2048, 2), (128, 2048, 15), (8, 4096, 2), (128, 4096, 30))
    for width, depth, counted in counts:
        assert memories.halves(width, depth) == counted
