"""The table of proofs in docs/proofs.md: written after `make prove`, checked by a test (all but the seconds)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from prover import PROVE, Outcome, Task
from tasks import TASKS

from bvit_hw.disk import write_aside

PAGE = PROVE.parent / "docs" / "proofs.md"
_BEGIN, _END = "<!-- proofs: begin -->\n", "<!-- proofs: end -->\n"
_HEAD = "| wrapper | parameters | sequences | assertions | cover points | seconds |\n|---|---|---|---|---|---|\n"


def _row(task: Task) -> str:
    """The columns that follow from the table of tasks alone."""
    values = ", ".join(f"{name} {value}" for name, value in task.parameters.items()) or "-"
    length = "any length" if task.bound is None else f"up to {task.bound} cycles"
    if task.induction is not None:
        length += ", by induction"
    return f"| {task.top} | {values} | {length} |"


def _columns(row: str) -> str:
    """Those of `_row` in a row of the page."""
    return " | ".join(row.split(" | ")[:3]).rstrip() + " |"


def rows(page: Path = PAGE) -> list[str]:
    """The table's rows as the page has them."""
    text = page.read_text()
    assert _BEGIN in text and _END in text, f"{page}: the marks of the table are missing"
    inside = text.split(_BEGIN)[1].split(_END)[0]
    return inside.removeprefix(_HEAD).splitlines()


def check_table() -> list[str]:
    """What differs between the page and the tasks, row by row; nothing if it is up to date."""
    found = [_columns(row) for row in rows()]
    wanted = [_row(task) for task in TASKS]
    return [f"missing: {row}" for row in wanted if row not in found] + [
        f"of no proof: {row}" for row in found if row not in wanted
    ]


def write_table(outcomes: Mapping[str, Outcome]) -> None:
    """Put the table into the page: of ``outcomes`` (task name -> outcome), and the rows that it has of other tasks."""
    kept = {_columns(row): row + "\n" for row in rows()}
    lines = [
        f"{_row(task)} {len(outcome.proven)} | {len(outcome.reached)} | {outcome.seconds:.0f} |\n"
        if (outcome := outcomes.get(task.name))
        else kept.get(_row(task), "")
        for task in TASKS
    ]
    text = PAGE.read_text()
    table = _BEGIN + _HEAD + "".join(lines) + _END
    write_aside(PAGE, re.sub(re.escape(_BEGIN) + ".*" + re.escape(_END), lambda _: table, text, flags=re.DOTALL))
