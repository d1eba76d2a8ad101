"""Integer programmes: the cheapest choice, and the same one however long the solver takes."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np
import pytest

from bvit_hw.graph import programme
from bvit_hw.graph.programme import Programme


def split(items: int) -> Programme:
    """Items in two halves of about equal weight by three scales at once, a programme that takes much branching."""
    rng = np.random.default_rng(7)
    made = Programme()
    columns = [made.variable(float(price), 1, integer=True) for price in rng.integers(1, 9, items)]
    for weights in rng.integers(0, 100, (3, items)):
        half = float(weights.sum() // 2)
        made.row([(c, float(w)) for c, w in zip(columns, weights, strict=True)], half, half + 1)
    return made


def test_the_cheapest_choice() -> None:
    made = Programme()
    dear, cheap = made.variable(3.0, 1, integer=True), made.variable(2.0, 1, integer=True)
    made.row([(dear, 1.0), (cheap, 1.0)], 1, 1)
    found = made.solve(gap=0.0, nodes=100)
    assert found is not None and found.round().tolist() == [0, 1]


def test_what_cannot_be_is_none() -> None:
    made = Programme()
    made.row([(made.variable(1.0, 1, integer=True), 1.0)], 2, 2)
    assert made.solve(gap=0.0, nodes=100) is None


def test_no_time_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """HiGHS divides a time limit among its stages, so that even one that is never reached makes the answer depend on
    the machine's load."""
    given: list[dict[str, Any]] = []
    real = programme.milp

    def spy(*arguments: Any, **named: Any) -> Any:
        given.append(dict(named["options"]))
        return real(*arguments, **named)

    monkeypatch.setattr(programme, "milp", spy)
    split(8).solve(gap=1e-3, nodes=77)
    assert given == [{"mip_rel_gap": 1e-3, "node_limit": 77}]


def test_a_reached_limit_is_told(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        few = split(30).solve(gap=0.0, nodes=1)
    assert "1 nodes searched, which is the limit" in caplog.text
    assert few is None or few.shape == (30,)
