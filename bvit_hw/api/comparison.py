"""Two builds side by side: rate, area, accuracy, each operator's folding, each FIFO's depth."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bvit_hw.api.builds import Build, as_build
from bvit_hw.errors import OutputError

if TYPE_CHECKING:
    from bvit_hw.report.model import FifoRow, OperatorRow, Report

Value = int | float | str | None
T = TypeVar("T")
#: sections in the order of :attr:`BuildDiff.rows`
SECTIONS = ("build", "rate", "area", "accuracy", "operator", "fifo")


@dataclass(frozen=True)
class DiffRow:
    """One fact of both builds, None where one has none: ``a`` and ``b`` in the unit that ``name`` says.

    ``section`` is "build", "rate", "area", "accuracy", "operator" (folding and cycles a frame) or "fifo" (depth in
    beats x width in bits).
    """

    section: str
    name: str
    a: Value
    b: Value

    @property
    def differs(self) -> bool:
        """Whether the builds differ in it."""
        return self.a != self.b

    @property
    def ratio(self) -> float | None:
        """b / a; None where these are no numbers, or a is 0."""
        if isinstance(self.a, str | None) or isinstance(self.b, str | None) or not self.a:
            return None
        return self.b / self.a


@dataclass(frozen=True)
class BuildDiff:
    """Two builds side by side, by :func:`diff`."""

    a: Build
    b: Build
    rows: tuple[DiffRow, ...]

    @property
    def differing(self) -> tuple[DiffRow, ...]:
        """The rows in which the builds differ."""
        return tuple(row for row in self.rows if row.differs)

    def as_json(self) -> dict[str, Any]:
        """What `bvit-hw diff --json` prints: all rows."""
        rows = [vars(row) | {"ratio": row.ratio} for row in self.rows]
        return {"a": str(self.a.folder), "b": str(self.b.folder), "rows": rows}


def diff(a: Build | str | Path, b: Build | str | Path) -> BuildDiff:
    """The builds ``a`` and ``b`` (or their folders) side by side, from their reports.

    Operators and FIFOs are told by their names, so that builds of different networks have rows with one side None.
    Raises OutputError where a folder has no report.
    """
    builds = as_build(a), as_build(b)
    one, two = (_report(build) for build in builds)
    rows = [*_heads(one, two), *_operators(one, two), *_fifos(one, two)]
    return BuildDiff(*builds, tuple(rows))


def _report(build: Build) -> Report:
    if build.report is None:
        raise OutputError(f"{build.folder}: has no report.json: the build did not come as far as the step generate")
    return build.report


def _heads(one: Report, two: Report) -> Iterable[DiffRow]:
    """What every accelerator has."""
    facts: list[tuple[str, str, Callable[[Report], Value]]] = [
        ("build", "board", lambda r: r.board),
        ("build", "model", lambda r: r.model),
        ("build", "model hash", lambda r: r.model_hash[:16]),
        ("build", "architecture", lambda r: r.architecture),
        ("build", "clock, MHz", lambda r: r.clock_mhz),
        ("build", "limited by", lambda r: r.limited_by),
        ("rate", "cycles a frame, model", lambda r: r.cycles_per_frame.model),
        ("rate", "cycles a frame, simulated", lambda r: r.cycles_per_frame.simulated),
        ("rate", "frames/s", lambda r: round(r.frames_per_second, 1)),
        ("rate", "latency, cycles", lambda r: r.latency_cycles),
    ]
    yield from (DiffRow(section, name, fact(one), fact(two)) for section, name, fact in facts)
    for kind in dict.fromkeys((*one.resources, *two.resources)):
        sides = [r.resources.get(kind) for r in (one, two)]
        if not any(side is not None and (side.model or side.synthesized) for side in sides):
            continue
        for name, field in (("model", "model"), ("Yosys", "synthesized")):
            found = [None if side is None else getattr(side, field) for side in sides]
            yield DiffRow("area", f"{kind}, {name}", *(None if value is None else round(value, 1) for value in found))
    yield DiffRow("area", "FIFO bits", one.fifo_bits, two.fifo_bits)
    for name in ("qat", "frozen", "rtl"):
        yield DiffRow("accuracy", name, getattr(one.accuracy, name), getattr(two.accuracy, name))


def _pairs(one: Mapping[str, T], two: Mapping[str, T]) -> Iterable[tuple[str, T | None, T | None]]:
    """By name, in the order of the first, what only the second has behind that."""
    return ((name, one.get(name), two.get(name)) for name in dict.fromkeys((*one, *two)))


def _operators(one: Report, two: Report) -> Iterable[DiffRow]:
    def text(row: OperatorRow | None) -> str | None:
        if row is None:
            return None
        folding = " ".join(f"{name}={value}" for name, value in row.folding.items())
        return f"{folding or 'no folding'}, {row.cycles:,} cycles"

    rows = ({row.name: row for row in report.operators} for report in (one, two))
    return (DiffRow("operator", name, text(a), text(b)) for name, a, b in _pairs(*rows))


def _fifos(one: Report, two: Report) -> Iterable[DiffRow]:
    def text(row: FifoRow | None) -> str | None:
        return None if row is None else f"{row.depth:,} x {row.width} {row.memory}"

    rows = ({row.name: row for row in report.fifos} for report in (one, two))
    return (DiffRow("fifo", name, text(a), text(b)) for name, a, b in _pairs(*rows))
