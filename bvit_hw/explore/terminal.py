"""The summary that a search prints on stdout, and its progress on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

from bvit_hw.explore.front import Found

#: points printed; the page has all
_SHOWN = 40


def print_found(found: Found, console: Console) -> None:
    """Print the front, a point a row with its command below, and what became of the other trials."""
    front = [row for row in found.rows if row.front]
    console.print(
        Text(f"{len(front)} points on the front of {len(found.rows)}; {found.trials} trials of study {found.name}")
    )
    table = Table(box=None, pad_edge=False)
    table.add_column("trial", justify="right")
    table.add_column("board")
    for heading in ("frames/s", "LUT", "BRAM18", "DSP", *(o.name for o in found.objectives if o.name not in
                                                          ("rate", "lut", "bram18", "dsp"))):  # fmt: skip
        table.add_column(heading, justify="right")
    table.add_column("trained")
    for row in front[:_SHOWN]:
        p = row.point
        others = [
            f"{row.values[o.name]:.2%}" if o.name == "accuracy" else f"{row.values[o.name]:,.6g}"
            for o in found.objectives
            if o.name not in ("rate", "lut", "bram18", "dsp")
        ]
        table.add_row(
            str(row.number), p.place, f"{p.rate:,.0f}", f"{p.lut:,.0f}", f"{p.bram18:,.0f}", f"{p.dsp:,.0f}",
            *others, row.training if row.epochs is None else f"{row.training}, {row.epochs} epochs",
        )  # fmt: skip
    console.print(table)
    for row in front[:_SHOWN]:
        console.print(Text(f"{row.number}: {row.command}"), soft_wrap=True)
    if len(front) > _SHOWN:
        console.print(Text(f"and {len(front) - _SHOWN} more on the page"))
    for reason, count in list(found.dropped.items())[:5]:
        console.print(Text(f"{count} no points: {reason}"), soft_wrap=True)


class SearchProgress:
    """A live bar on a terminal, a line now and then elsewhere; ``quiet`` shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)

    @contextmanager
    def shown(self) -> Iterator[tuple[Callable[[str], None], Callable[[int, int], None]]]:
        """Functions that take what is being done, and how many trials of how many are."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            yield self._plain()
            return
        columns = (
            SpinnerColumn(), BarColumn(bar_width=24), MofNCompleteColumn(), TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
        )  # fmt: skip
        with Progress(*columns, console=self._console) as bar:
            task = bar.add_task("", total=None)
            yield (
                lambda text: bar.update(task, description=text),
                lambda count, total: bar.update(task, completed=min(count, total), total=total),
            )

    def _plain(self) -> tuple[Callable[[str], None], Callable[[int, int], None]]:
        last, told = time.monotonic() - 60, ""

        def say(text: str) -> None:
            nonlocal last, told
            if time.monotonic() - last > 10 or "sign of life" in text:
                last = time.monotonic()
                self._console.print(f"{told}{text}", markup=False, soft_wrap=True)

        def done(count: int, total: int) -> None:
            nonlocal told
            told = f"{count}/{total} trials; "

        return say, done
