"""Paths between operators: what follows from each operator's own timing, once they are put together.

A path leaves a register of one operator, may go through others whose ready or valid is combinational, and ends in a
register of the last. Each of these parts is known (flows/sta.py); the wire between two operators is counted by the one
that reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bvit_hw.errors import ToolError
from bvit_hw.flows.sta import UnitTiming


@dataclass(frozen=True, kw_only=True)
class Between:
    """A path through ``units``, from the one where it begins: ns and cells; ``signal`` is what arrives at the last."""

    ns: float
    levels: int
    units: tuple[str, ...]
    signal: str


@dataclass(frozen=True, kw_only=True)
class Link:
    """A stream: the unit that sends it and its place among that one's outputs, the one that takes it likewise."""

    source: str
    source_port: int
    sink: str
    sink_port: int


@dataclass(frozen=True)
class _Arrival:
    ns: float
    levels: int
    units: tuple[str, ...]


class StitchedTiming:
    """Paths between ``units`` (by name) that ``links`` join; what reaches no unit of these is left out.

    Raises ToolError where ready and valid of several operators wait for one another.
    """

    def __init__(self, units: Mapping[str, UnitTiming], links: Sequence[Link]) -> None:
        self._units = units
        #: (unit, group of an input) -> (unit, group of an output) that drives it
        self._drivers: dict[tuple[str, str], tuple[str, str]] = {}
        for link in links:
            out = units[link.source].outputs[link.source_port]
            into = units[link.sink].inputs[link.sink_port]
            for signal in ("data", "valid"):
                self._drivers[link.sink, f"{into}.{signal}"] = (link.source, f"{out}.{signal}")
            self._drivers[link.source, f"{out}.ready"] = (link.sink, f"{into}.ready")
        self._known: dict[tuple[str, str], _Arrival | None] = {}
        self._asked: list[tuple[str, str]] = []

    def _arrival(self, unit: str, group: str) -> _Arrival | None:
        """When an input's group is there at the latest; None where nothing that is known drives it."""
        place = (unit, group)
        if place in self._known:
            return self._known[place]
        if place in self._asked:
            around = dict.fromkeys(name for name, _ in self._asked[self._asked.index(place) :])
            raise ToolError(f"timing: a combinational loop through {', '.join(around)}")
        driver = self._drivers.get(place)
        best: _Arrival | None = None
        if driver is not None:
            source, out = driver
            timing = self._units[source]
            self._asked.append(place)
            if out in timing.arrive:
                best = _Arrival(timing.arrive[out].ns, timing.arrive[out].levels, (source,))
            for key, path in timing.through.items():
                begin, _, end = key.partition(">")
                before = self._arrival(source, begin) if end == out else None
                if before is not None and (best is None or before.ns + path.ns > best.ns):
                    best = _Arrival(before.ns + path.ns, before.levels + path.levels, (*before.units, source))
            self._asked.pop()
        self._known[place] = best
        return best

    def paths(self) -> list[Between]:
        """The longest path into every group of every unit that others drive, the longest first."""
        found = []
        for name, timing in self._units.items():
            for group, need in timing.need.items():
                before = self._arrival(name, group)
                if before is not None:
                    found.append(
                        Between(
                            ns=round(before.ns + need.ns, 3), levels=before.levels + need.levels,
                            units=(*before.units, name), signal=group.rpartition(".")[2],
                        )
                    )  # fmt: skip
        return sorted(found, key=lambda path: (-path.ns, path.units))

    def ready_chain(self) -> tuple[str, ...]:
        """The most operators in a row whose ready depends on the next one's within a cycle, the last one first."""
        known: dict[tuple[str, str], tuple[str, ...]] = {}

        def chain(unit: str, group: str) -> tuple[str, ...]:
            """From an output's ready back to where that is a register."""
            if (unit, group) not in known:
                known[unit, group] = ()
                if (driver := self._drivers.get((unit, group))) is not None:
                    source, out = driver
                    ways = [
                        (*chain(source, begin), source)
                        for begin, _, end in (key.partition(">") for key in self._units[source].through)
                        if end == out and begin.endswith(".ready")
                    ]
                    known[unit, group] = max(ways, key=len, default=())
            return known[unit, group]

        ends = [
            (*chain(name, f"{out}.ready"), name) for name, timing in self._units.items() for out in timing.outputs
            if f"{out}.ready" in timing.need or any(key.startswith(f"{out}.ready>") for key in timing.through)
        ]  # fmt: skip
        return max(ends, key=len, default=())
