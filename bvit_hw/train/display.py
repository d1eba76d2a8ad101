"""What a run of training shows on stderr: a bar on a terminal that can have one, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, TextIO, cast

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, TaskID, TaskProgressColumn, TextColumn
from rich.progress import TimeRemainingColumn as Remaining

if TYPE_CHECKING:
    from bvit_hw.train.loop import StepReport
    from bvit_hw.train.trainer import EpochReport

#: columns of a terminal from which there is room for a bar and the time that is left
_WIDE = 70
#: seconds between two lines within an epoch, where there is no bar
_PAUSE = 60.0


def rate_text(images_per_second: float) -> str:
    """A speed in words that never says 0: ``1,234 images/s``, ``2.5 images/s``, ``40 s an image``."""
    if images_per_second >= 10:
        return f"{images_per_second:,.0f} images/s"
    if images_per_second >= 1:
        return f"{images_per_second:.1f} images/s"
    return f"{1 / images_per_second:.0f} s an image" if images_per_second > 0 else "no speed yet"


class _UntilClosed:
    """A stream that takes everything in silence once whoever read it is gone: a closed terminal, a pipe to `head`."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding = stream.encoding

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()

    def fileno(self) -> int:
        return self._stream.fileno()


class TrainDisplay:
    """Progress of the run called ``name``; entered around it, told of its steps and epochs.

    Nothing is shown unless ``shown``. Without a terminal each epoch has one line, a long one another each minute.
    """

    def __init__(self, name: str, epochs: int, *, shown: bool = True, console: Console | None = None) -> None:
        self.name, self.epochs = name, epochs
        stream = cast(TextIO, _UntilClosed(sys.stderr))
        self.console = console or Console(file=stream, quiet=not shown, highlight=False, soft_wrap=True)
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._mode: str | None = None
        self._speed = 0.0
        self._said_at = time.monotonic()

    @contextmanager
    def shown(self) -> Iterator[None]:
        """The bar, where there can be one, lives as long as the block."""
        if not self.console.is_terminal or self.console.is_dumb_terminal or self.console.quiet:
            yield
            return
        wide = self.console.width >= _WIDE
        columns: list[ProgressColumn] = [TextColumn("{task.description}")]
        columns += [BarColumn(bar_width=None), TaskProgressColumn(), Remaining(compact=True)] if wide else []
        with Progress(*columns, TextColumn("{task.fields[status]}"), console=self.console, expand=wide) as self._bar:
            yield

    def step(self, report: StepReport) -> None:
        """One step is done."""
        # Single steps vary with reading and saving.
        now = report.images_per_second
        self._speed = now if not self._speed else 0.9 * self._speed + 0.1 * now
        status = f"loss {report.loss:.3f}, {rate_text(self._speed)}"
        if report.mode != self._mode:
            self._begin_phase(report)
        if self._bar is not None and self._task is not None:
            done = (report.epoch - 1) * report.steps + report.step
            self._bar.update(
                self._task, completed=done, description=f"epoch {report.epoch}/{self.epochs}", status=status
            )
        elif time.monotonic() - self._said_at > _PAUSE:
            self._say(f"epoch {report.epoch}/{self.epochs}, step {report.step}/{report.steps}: {status}")

    def _begin_phase(self, report: StepReport) -> None:
        if self._mode is None:
            self._say(f"training {self.name}: {self.epochs} epochs of {report.steps} steps")
            if self._bar is not None:
                self._task = self._bar.add_task("", total=self.epochs * report.steps, status="")
        self._mode = report.mode
        what = "quantized" if report.mode == "quant" else "in floating point"
        self._say(f"epoch {report.epoch}: activations and residual stream {what} from here")

    def epoch(self, report: EpochReport) -> None:
        """One epoch is done and its state written."""
        measured = report.accuracy
        accuracy = f", top-1 {100 * measured.top1:.2f} % of {measured.images} test images" if measured else ""
        if accuracy or self._bar is None:
            speed = f", {rate_text(self._speed)}" if self._bar is None else ""
            self._say(f"epoch {report.epoch}/{self.epochs}: loss {report.loss:.3f}{accuracy}{speed}")

    def _say(self, text: str) -> None:
        self.console.print(text, markup=False)
        self._said_at = time.monotonic()
