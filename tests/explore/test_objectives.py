"""Objectives by name, and what dominates what."""

from __future__ import annotations

import pytest

from bvit_hw.errors import ConfigError
from bvit_hw.explore.hardware import Point
from bvit_hw.explore.objectives import Measured, chosen_objectives, dominates
from bvit_hw.models.cost import network_cost
from tests.explore.tiny import TINY


def test_values() -> None:
    point = Point(board="b", target_fps=None, cycles=100, rate=1000.0, lut=500.0, ff=1.0, bram18=3.0, uram=0.0,
                  dsp=4.0, limited_by="")  # fmt: skip
    cost = network_cost("tiny", TINY)
    chosen = chosen_objectives("rate, lut,area_time,binary_macs,accuracy")
    values = [objective.value(Measured(point, cost, 0.25)) for objective in chosen]
    assert values == [1000.0, 500.0, 0.5, cost.binary_macs, 0.25]
    assert [o.name for o in chosen if "proxy" in o.title] == ["area_time", "binary_macs"]
    assert [o.name for o in chosen if o.trains] == ["accuracy"]


@pytest.mark.parametrize("words", ["rate", "rate,rate", "rate,speed"])
def test_what_is_refused(words: str) -> None:
    with pytest.raises(ConfigError, match="allowed: accuracy, rate, lut"):
        chosen_objectives(words)


def test_dominance_minds_the_directions() -> None:
    chosen = chosen_objectives("rate,lut")
    assert dominates((2, 5), (1, 5), chosen) and dominates((1, 4), (1, 5), chosen)
    assert not dominates((1, 5), (1, 5), chosen) and not dominates((2, 6), (1, 5), chosen)
