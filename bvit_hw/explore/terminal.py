"""A search's progress on stderr."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


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
