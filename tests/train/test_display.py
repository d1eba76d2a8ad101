"""What a run shows: lines that fit any terminal, plain ones in a pipe, a speed that is never 0."""

from __future__ import annotations

import io
import re

import pytest
from rich.console import Console

from bvit_hw.train.display import TrainDisplay, rate_text
from bvit_hw.train.loop import StepReport
from bvit_hw.train.trainer import Accuracy, EpochReport


@pytest.mark.parametrize(
    ("speed", "text"),
    [(12345.6, "12,346 images/s"), (10.4, "10 images/s"), (2.46, "2.5 images/s"), (0.3, "3 s an image"),
     (0.004, "250 s an image"), (0.0, "no speed yet")],
)  # fmt: skip
def test_a_speed_is_never_zero(speed: float, text: str) -> None:
    assert rate_text(speed) == text


def _run(console: Console) -> None:
    """207 epochs of 390 steps, of which a few are told of."""
    display = TrainDisplay("a-network-with-a-long-name", 207, console=console)
    with display.shown():
        for epoch, mode in ((1, "float"), (206, "quant"), (207, "quant")):
            for step in (1, 390):
                display.step(StepReport(epoch, step, 390, 2.302, mode, 1234.0))
            display.epoch(EpochReport(epoch, 2.302, mode, Accuracy(0.8358, 0.99, 10000) if epoch > 1 else None))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_bar_takes_one_line_of_a_terminal(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, soft_wrap=True)
    _run(console)
    last = next(line for line in reversed(out.getvalue().splitlines()) if "epoch 207/207" in line)
    assert "loss 2.302, 1,234 images/s" in last and "…" not in last
    assert ("100%" in last) == (width >= 70)
    assert len(re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\r", "", last)) <= width


@pytest.mark.parametrize("dumb", [False, True])
def test_elsewhere_there_is_a_line_an_epoch(dumb: bool) -> None:
    out = io.StringIO()
    environment = {"TERM": "dumb"} if dumb else {}
    _run(Console(file=out, force_terminal=dumb or None, _environ=environment, soft_wrap=True, color_system=None))
    assert "\x1b" not in out.getvalue() and "\r" not in out.getvalue()
    assert out.getvalue().splitlines() == [
        "training a-network-with-a-long-name: 207 epochs of 390 steps",
        "epoch 1: activations and residual stream in floating point from here",
        "epoch 1/207: loss 2.302, 1,234 images/s",
        "epoch 206: activations and residual stream quantized from here",
        "epoch 206/207: loss 2.302, top-1 83.58 % of 10000 test images, 1,234 images/s",
        "epoch 207/207: loss 2.302, top-1 83.58 % of 10000 test images, 1,234 images/s",
    ]


def test_long_epochs_are_told_of_within(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter(range(0, 100000, 25))
    monkeypatch.setattr("bvit_hw.train.display.time.monotonic", lambda: next(seconds))
    out = io.StringIO()
    display = TrainDisplay("x", 2, console=Console(file=out))
    with display.shown():
        for step in range(1, 9):
            display.step(StepReport(1, step, 390, 2.0, "float", 0.5))
    lines = [line for line in out.getvalue().splitlines() if "step " in line]
    assert lines and lines[0].endswith("/390: loss 2.000, 2 s an image") and len(lines) < 8
