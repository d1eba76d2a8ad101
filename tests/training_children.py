"""Training runs in processes of their own, which tests may kill; forked from a server that has imported PyTorch."""

from __future__ import annotations

import faulthandler
import json
import multiprocessing
import multiprocessing.connection
import os
import random
import signal
import socket
from functools import partial
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from bvit_hw import data
from bvit_hw.data import Dataset
from bvit_hw.models import BinaryViTConfig
from bvit_hw.train import Recipe, RunOptions, train
from tests.emulators.null_gpu.arithmetic import computing

NETWORK = BinaryViTConfig.create(
    image_size=32,
    channels=(8, 16),
    depths=(1, 1),
    heads=(1, 2),
    mlp_widths=(16, 32),
    reductions=(4, 2),
    classes=10,
)
#: 2 float and 2 quantized epochs of 4 steps. Nothing is compiled: on the null GPU, too, that takes minutes
SHORT = Recipe(
    dataset="some", model=NETWORK, epochs=4, quant_epochs=2, batch_size=40, learning_rate=5e-3, fuse=False
)  # fmt: skip

#: seconds after which a run of SHORT cannot be merely slow
_PATIENCE = 80

_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["tests.training_children"])


def some_digits(images: int = 160) -> Dataset:
    """``images`` digits to train on, and 40 others."""
    digits = data.load_dataset("digits")
    train_part, test_part = slice(images), slice(40)
    return Dataset(
        "some",
        10,
        digits.train_images[train_part],
        digits.train_labels[train_part],
        digits.test_images[test_part],
        digits.test_labels[test_part],
    )


def _die(*_args: object, **_keywords: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


class _DiesWhileWriting:
    """A file that takes half of what it is given, and then the process is gone."""

    def __init__(self, file: Any) -> None:
        self.file = file

    def __enter__(self) -> _DiesWhileWriting:
        return self

    def __exit__(self, *_args: object) -> None:
        self.file.close()

    def write(self, content: bytes) -> None:
        self.file.write(content[: len(content) // 2])
        self.file.flush()
        _die()


def _arm(write: int, moment: str) -> None:
    """Die at ``moment`` (half written, written, before the rename, between the renames, renamed) of the n-th state."""
    from bvit_hw.train import loop, state

    count = 0
    genuine = state.write_state

    def counted(*arguments: Any) -> None:
        nonlocal count
        count += 1
        if count == write:
            _patch(moment)
        genuine(*arguments)

    loop.write_state = counted  # type: ignore[assignment]


def _patch(moment: str) -> None:
    from bvit_hw import disk

    if moment == "half":
        genuine_open = Path.open
        Path.open = lambda self, *a, **k: _DiesWhileWriting(genuine_open(self, *a, **k))  # type: ignore[assignment,method-assign,return-value]
    elif moment == "written":
        disk.os.fsync = _die  # type: ignore[assignment]
    elif moment in ("first rename", "second rename"):
        genuine = Path.replace
        left = ["second rename"] if moment == "second rename" else []

        def replace(self: Path, target: Path) -> Path:
            if not left:
                _die()
            left.pop()
            return genuine(self, target)

        Path.replace = replace  # type: ignore[method-assign,assignment]
    elif moment == "renamed":
        disk._sync_names = _die


MOMENTS = ("half", "written", "first rename", "second rename", "renamed")


def run(
    out: Path,
    changes: dict[str, Any],
    options: dict[str, Any],
    environment: dict[str, str] | None = None,
    death: tuple[int, str] | None = None,
    patience: float = _PATIENCE,
    images: int = 160,
) -> None:
    """The body of a child: train SHORT with ``changes`` in ``out``; a Ctrl-C ends with exit code 2, as the CLI does."""
    # A run that waits for ever shows where, and ends.
    faulthandler.dump_traceback_later(patience, exit=True)
    os.environ.update(environment or {})
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if death is not None:
        _arm(*death)
    data.DATASETS["some"] = partial(some_digits, images)
    try:
        chosen = RunOptions(**{"device": "cpu", "tensorboard": False, **options})
        with computing():
            train(SHORT.changed(**changes), out, options=chosen)
    except KeyboardInterrupt:
        os._exit(2)


def _port() -> int:
    """A free port below those that outgoing connections take, whoever else is busy on this machine."""
    for candidate in random.sample(range(20000, 32000), 200):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise RuntimeError("no free port between 20000 and 32000")


def start(
    out: Path,
    *,
    processes: int = 1,
    death: tuple[int, str] | None = None,
    options: dict[str, Any] | None = None,
    method: str = "forkserver",
    patience: float = _PATIENCE,
    images: int = 160,
    **changes: Any,
) -> list[BaseProcess]:
    """Start one run in ``processes`` processes, told of each other as torchrun tells them; GPUs want ``spawn``."""
    context = multiprocessing.get_context(method)
    shared = {"WORLD_SIZE": str(processes), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_port())}
    children = []
    for rank in range(processes):
        environment = shared | {"RANK": str(rank), "LOCAL_RANK": str(rank)} if processes > 1 else {}
        child = context.Process(
            target=run, args=(out, changes, options or {}, environment, death if rank == 0 else None, patience, images)
        )
        child.start()
        children.append(child)
    return children


def finish(children: list[BaseProcess]) -> list[int | None]:
    """Wait for all; once one has failed the others are killed, as torchrun does."""
    waiting = list(children)
    while waiting:
        multiprocessing.connection.wait([child.sentinel for child in waiting])
        waiting = [child for child in waiting if child.exitcode is None]
        if any(child.exitcode not in (None, 0) for child in children):
            for child in waiting:
                child.kill()
    for child in children:
        child.join()
    return [child.exitcode for child in children]


def metrics(out: Path) -> list[dict[str, Any]]:
    """The lines of a run's journal."""
    return [json.loads(line) for line in (out / "metrics.jsonl").read_text().splitlines()]
