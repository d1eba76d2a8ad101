"""What memories cost."""

from __future__ import annotations

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.targets import XC7
from bvit_hw.targets.cost import Resources
from bvit_hw.targets.memories import Join
from bvit_hw.targets.xcup import TARGET as XCUP


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


def test_ultraram_of_several_lanes() -> None:
    """A lane takes whole bytes, one alone does not; deeper than one UltraRAM is refused."""
    lanes = XCUP.memories.ultra_lanes
    assert lanes(2, 36, 4096) == lanes(8, 9, 2) == lanes(1, 72, 100) == lanes(9, 3, 64) == Resources(uram=1)
    assert lanes(2, 37, 4096) == lanes(9, 9, 100) == lanes(1, 73, 5) == Resources(uram=2)
    for memories, depth, allowed in ((XCUP.memories, 4097, "up to 4096 words"), (XC7.memories, 64, "none, the target")):
        with pytest.raises(ConfigError, match=f"{depth} words of 2 x 8 bits in UltraRAM; allowed: {allowed}"):
            memories.ultra_lanes(2, 8, depth)
        assert not memories.ultra_holds(depth)
    pays = XCUP.memories.ultra_pays
    assert pays(Resources(bram18=7), Resources(bram18=1, uram=2))
    assert not pays(Resources(bram18=6), Resources(bram18=1, uram=2))


def test_ultraram_has_one_shape() -> None:
    """4096 x 72; banks side by side where they leave room for each other (Yosys' counts: sim/test_glue.py)."""
    ultra = XCUP.memories.ultra
    assert ultra(72, 4096) == ultra(1, 2) == Resources(uram=1)
    assert ultra(73, 4096) == Resources(uram=2)
    assert ultra(64, 4097) == Resources(uram=2, lut=64 + 2, ff=1)
    assert ultra(100, 25_090) == Resources(uram=11, lut=3 * 100 + 7, ff=3)
    assert ultra(9, 8 * 4096) == ultra(8, 8 * 4096) + Resources(lut=3) == Resources(uram=1, lut=3 * 9 + 8, ff=3)
    assert [ultra(8, words * 4096).uram for words in (9, 10)] == [1, 2]
    with pytest.raises(ConfigError, match="70 words of 8 bits in UltraRAM: the target has none"):
        XC7.memories.ultra(8, 70)
