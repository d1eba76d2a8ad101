"""report.html: one self-contained page, no scripts, no fonts, nothing fetched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.disk import write_aside
from bvit_hw.report.model import Edge, OperatorRow, Report
from bvit_hw.templates import templates

_TEMPLATES = templates("bvit_hw.report", html=True)

_COLUMN, _ROW, _BOX_W, _BOX_H = 132, 34, 116, 24


@dataclass(frozen=True)
class _Box:
    row: OperatorRow
    x: float
    y: float
    share: float
    label: str


@dataclass(frozen=True)
class _Band:
    group: str
    y: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """The pipeline laid out: one horizontal band a block of the network, operators in columns by data dependence."""

    width: float
    height: float
    bands: Sequence[_Band]
    boxes: Sequence[_Box]
    paths: Sequence[tuple[str, Edge]]


def lay_out(operators: Sequence[OperatorRow], edges: Sequence[Edge]) -> Drawing:
    """Place operators: within a group the column is the longest path from the group's start."""
    by_name = {row.name: row for row in operators}
    inner = [e for e in edges if e.source in by_name and e.target in by_name]
    slowest = max((row.cycles for row in operators), default=1)
    level: dict[str, int] = {}
    for row in operators:  # operators come in execution order
        before = [level[e.source] for e in inner if e.target == row.name and by_name[e.source].group == row.group]
        level[row.name] = max(before, default=-1) + 1
    groups = list(dict.fromkeys(row.group for row in operators))
    boxes: dict[str, _Box] = {}
    bands = []
    top = 8.0
    for group in groups:
        filled: dict[int, int] = {}
        for row in (r for r in operators if r.group == group):
            column = level[row.name]
            slot = filled.get(column, 0)
            filled[column] = slot + 1
            label = row.name.removeprefix(f"{group}.").removeprefix(f"{group}_")
            boxes[row.name] = _Box(
                row, 64 + column * _COLUMN, top + 6 + slot * _ROW, row.cycles / slowest, label[:18]
            )
        height = max(filled.values()) * _ROW + 6.0
        bands.append(_Band(group, top, height))
        top += height + 10
    paths = []
    for edge in inner:
        a, b = boxes[edge.source], boxes[edge.target]
        x1, y1, x2, y2 = a.x + _BOX_W, a.y + _BOX_H / 2, b.x, b.y + _BOX_H / 2
        bend = max(24.0, abs(x2 - x1) / 2)
        paths.append((f"M{x1:.0f},{y1:.0f} C{x1 + bend:.0f},{y1:.0f} {x2 - bend:.0f},{y2:.0f} {x2:.0f},{y2:.0f}", edge))
    width = 64 + (max(level.values(), default=0) + 1) * _COLUMN
    return Drawing(width, top, bands, list(boxes.values()), paths)


def write_page(report: Report, path: Path) -> None:
    """Write the page atomically."""
    depth: dict[str, list[Edge]] = {}
    for edge in report.edges:
        depth.setdefault(edge.source, []).append(edge)
    text = _TEMPLATES.get_template("report.html.j2").render(
        report=report,
        drawing=lay_out(report.operators, report.edges),
        fifos=depth,
        deep=[row for row in report.fifos if row.depth > 2],
        slowest=max((row.cycles for row in report.operators), default=1),
        box_width=_BOX_W,
        box_height=_BOX_H,
    )
    write_aside(path, text)
