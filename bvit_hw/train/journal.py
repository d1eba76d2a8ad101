"""What a run reports while it runs: metrics.jsonl, exact to the last bit, and TensorBoard."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from bvit_hw.disk import reason, write_aside
from bvit_hw.errors import OutputError

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

METRICS_FILE = "metrics.jsonl"
TENSORBOARD_FOLDER = "tensorboard"


class Journal:
    """One line a step or epoch in ``metrics.jsonl`` and the same numbers for TensorBoard.

    ``step`` is the run's step that is to come. Lines of steps from there on, written by a run that was killed before it
    saved them, are dropped: the file holds each step once.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = True) -> None:
        self.path = folder / METRICS_FILE
        self._writer: SummaryWriter | None = None
        try:
            self._keep_before(step)
            self._file = self.path.open("a", encoding="utf-8")
            if tensorboard:
                from torch.utils.tensorboard import SummaryWriter

                _quiet_writer_thread()
                self._writer = SummaryWriter(str(folder / TENSORBOARD_FOLDER), purge_step=step or None)
        except OSError as error:
            raise OutputError(f"{folder}: metrics cannot be written: {error}") from error

    def _keep_before(self, step: int) -> None:
        if not self.path.exists():
            return
        kept = []
        for line in self.path.read_text(encoding="utf-8").splitlines():
            # A kill may have cut the last line short.
            with suppress(ValueError):
                found = json.loads(line)
                # A state is saved before its step is measured on the test split: a measurement there is made again.
                if found["step"] < step or (found["step"] == step and "loss" in found):
                    kept.append(line)
        write_aside(self.path, "".join(f"{line}\n" for line in kept), sole=True)

    def add(self, step: int, **values: float | int | str) -> None:
        """Record ``values`` as of ``step`` steps done; numbers go to TensorBoard under their names."""
        with self._written():
            self._file.write(json.dumps({"step": step, **values}) + "\n")
        if self._writer is not None:
            with self._written():
                for name, value in values.items():
                    if isinstance(value, float):
                        self._writer.add_scalar(name, value, step)

    def flush(self, *, sync: bool = False) -> None:
        """Hand everything to the file system, before a state that counts on it is written."""
        with self._written():
            self._file.flush()
            if sync:
                os.fsync(self._file.fileno())
            if self._writer is not None:
                self._writer.flush()

    @contextmanager
    def _written(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"{self.path.parent}: {METRICS_FILE} and {TENSORBOARD_FOLDER}/ cannot be written: {reason(error)}; "
                "what was saved is kept: free some space there, and the same command goes on"
            ) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        with ExitStack() as stack:
            if kind is None:
                stack.enter_context(self._written())
            else:  # what ended the run is told, not what followed from it
                stack.enter_context(suppress(OSError))
            if self._writer is not None:
                stack.callback(self._writer.close)
            stack.callback(self._file.close)


def _quiet_writer_thread() -> None:
    """TensorBoard's thread hands what stopped it to the next call, which says it; it shall not print it besides."""
    before = threading.excepthook
    if before.__module__ == __name__:
        return

    def hook(arguments: threading.ExceptHookArgs) -> None:
        ours = type(arguments.thread).__module__.startswith("tensorboard.")
        if not (ours and isinstance(arguments.exc_value, OSError)):
            before(arguments)

    threading.excepthook = hook
