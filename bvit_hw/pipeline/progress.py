"""Progress of a build on stderr: a live bar for each step on a terminal, one plain line a step elsewhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as RichProgress
from rich.table import Column

#: columns of a terminal from which on a bar stands beside title, share and time
_WIDE = 90


class Progress:
    """Shows which step runs and how far it is. ``quiet`` shows nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._console = Console(stderr=True, quiet=quiet, highlight=False)
        self._said: set[str] = set()

    def say(self, text: str) -> None:
        """One line, above the bar where there is one; what was said already is not said again."""
        if text not in self._said:
            self._said.add(text)
            self._say(text)

    @contextmanager
    def step(self, title: str) -> Iterator[Callable[[float, float], None]]:
        """Show ``title`` while the block runs; the yielded function takes (done, total)."""
        if not self._console.is_terminal or self._console.is_dumb_terminal:
            with self._plain(title) as update:
                yield update
            return
        columns = (
            SpinnerColumn(),
            # A title may hold names of the user's, with brackets that are no markup.
            TextColumn("{task.description:<42}", markup=False, table_column=Column(ratio=1, no_wrap=True)),
            *([BarColumn(bar_width=24)] if self._console.width >= _WIDE else []),
            TextColumn("{task.fields[share]:>4}"),
            TimeElapsedColumn(),
        )
        with RichProgress(*columns, console=self._console) as bar:
            task = bar.add_task(title, total=None, share="")

            def update(done: float, total: float) -> None:
                bar.update(task, completed=done, total=total, share=f"{done / total:.0%}" if total else "")

            yield update
            bar.update(task, completed=1, total=1, share="")

    @contextmanager
    def _plain(self, title: str) -> Iterator[Callable[[float, float], None]]:
        """Without a terminal: a line at the start, one every ten seconds of work, one at the end."""
        start = last = time.monotonic()
        self._say(f"{title} ...")

        def update(done: float, total: float) -> None:
            nonlocal last
            if time.monotonic() - last > 10:
                last = time.monotonic()
                self._say(f"{title}: {done / total:.0%} after {last - start:.0f} s" if total else title)

        yield update
        self._say(f"{title}: {time.monotonic() - start:.1f} s")

    def _say(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)
