"""Paths between operators that can be added up by hand."""

from __future__ import annotations

import itertools
from collections.abc import Mapping

import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.sta import Path, UnitTiming
from bvit_hw.flows.stitched_timing import Link, StitchedTiming


def unit(through: Mapping[str, float] | None = None, **changes: Mapping[str, float]) -> UnitTiming:
    """One input, one output; all borders are registers but for ``through``."""
    arrive = {"m.0.data": 0.5, "m.0.valid": 1.0, "s.0.ready": 2.0} | changes.get("arrive", {})
    need = {"s.0.data": 0.25, "s.0.valid": 1.0, "m.0.ready": 4.0} | changes.get("need", {})
    tables = [{name: Path(ns=ns, levels=1) for name, ns in table.items()} for table in (arrive, need, through or {})]
    return UnitTiming(inputs=("s.0",), outputs=("m.0",), arrive=tables[0], need=tables[1], through=tables[2])


def row(*names: str) -> list[Link]:
    return [Link(source=a, source_port=0, sink=b, sink_port=0) for a, b in itertools.pairwise(names)]


def test_neighbours() -> None:
    found = StitchedTiming({"a": unit(), "b": unit()}, row("a", "b"))
    assert [(path.ns, path.units, path.signal, path.levels) for path in found.paths()] == [
        (6.0, ("b", "a"), "ready", 2), (2.0, ("a", "b"), "valid", 2), (0.75, ("a", "b"), "data", 2),
    ]  # fmt: skip
    assert len(found.ready_chain()) == 1


def test_a_chain_of_ready_goes_back_to_a_register() -> None:
    """c's ready is a register; it goes through b and a, and enables what is in each on the way."""
    ready = {"m.0.ready>s.0.ready": 3.0}
    units = {"fifo": unit(), "a": unit(ready), "b": unit(ready), "c": unit()}
    found = StitchedTiming(units, row("fifo", "a", "b", "c"))
    longest = found.paths()[0]
    assert (longest.ns, longest.units, longest.signal) == (2.0 + 3.0 + 3.0 + 4.0, ("c", "b", "a", "fifo"), "ready")
    assert longest.levels == 4
    # The last name is the one whose registers wait for it; c's own ready comes from a register.
    assert found.ready_chain() == ("b", "a", "fifo")


def test_a_register_inside_may_be_later_than_what_goes_through() -> None:
    slow = unit({"m.0.ready>s.0.ready": 1.0}, arrive={"s.0.ready": 9.0})
    longest = StitchedTiming({"a": unit(), "b": slow, "c": unit()}, row("a", "b", "c")).paths()[0]
    assert (longest.ns, longest.units) == (13.0, ("b", "a"))


def test_a_loop_is_told() -> None:
    waits = unit({"s.0.valid>m.0.valid": 1.0, "m.0.ready>s.0.ready": 1.0, "s.0.valid>s.0.ready": 1.0})
    hasty = unit({"m.0.ready>m.0.valid": 1.0, "s.0.valid>s.0.ready": 1.0})
    with pytest.raises(ToolError, match=r"a combinational loop through (a, b|b, a)"):
        StitchedTiming({"a": hasty, "b": waits}, row("a", "b")).paths()
