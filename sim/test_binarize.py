"""Binarize against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.base import Params
from bvit_hw.ops.binarize import Binarize


def material(op: Binarize, seed: int, frames: int = 2) -> tuple[Params, list[np.ndarray]]:
    """Thresholds that include always, never and zero; frames in which every value meets its own threshold too."""
    rng = np.random.default_rng(seed)
    stream = op.inputs[0]
    threshold = op.random_params(rng)["threshold"]
    threshold[:3] = (stream.low, stream.high + 1, 0)[: op.channels]
    played = []
    for _ in range(frames):
        (frame,) = random_frame(op, rng)
        # a third of the values lies at or just below the threshold
        near = np.clip(threshold - rng.integers(0, 2, frame.shape), stream.low, stream.high)
        played.append(np.where(rng.random(frame.shape) < 1 / 3, near, frame))
    return {"threshold": threshold}, played


@pytest.mark.parametrize(
    ("channels", "in_bits", "pe"), [(32, 8, 1), (32, 8, 4), (32, 8, 32), (12, 12, 3), (20, 1, 4), (128, 8, 16)]
)
def test_foldings(channels: int, in_bits: int, pe: int) -> None:
    """Tiny network's shapes, token of one beat, beats no power of two, a single bit."""
    op = Binarize(tokens=16, channels=channels, in_bits=in_bits, pe=pe)
    params, frames = material(op, seed=pe)
    measured = check_op(op, params, frames)
    assert measured.latency_first == 2
    assert set(measured.intervals) == {op.cycles}


def test_block_ram() -> None:
    """2048 thresholds one at a time go to block RAM."""
    op = Binarize(tokens=2, channels=2048, in_bits=12, pe=1)
    params, frames = material(op, seed=1)
    assert op.rtl(params).parameters["THRESHOLD_BLOCK"] == 1
    check_op(op, params, frames)


@pytest.mark.slow
@pytest.mark.parametrize(("tokens", "channels", "pe"), [(3136, 64, 8), (196, 256, 4), (49, 2048, 32)])
def test_full_size(tokens: int, channels: int, pe: int) -> None:
    """Shapes of small/4/224, all tokens."""
    op = Binarize(tokens=tokens, channels=channels, in_bits=8, pe=pe)
    params, frames = material(op, seed=2, frames=1)
    check_op(op, params, frames, patterns=("full", "both"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (">= signed'", "> signed'"),
        ("(IN_BITS + 1)'(x_q) >= signed'(threshold[p])", "x_q >= signed'(threshold[p][IN_BITS-1:0])"),
        ("en = m_axis_tready | ~valid_q[1]", "en = 1'b1"),
        ("if (rst) valid_q <= '0;\n    else if (en)", "if (en)"),
        ("fire = en & s_axis_tvalid", "fire = s_axis_tvalid"),
    ],
)
def test_mutations(tmp_path: Path, old: str, new: str) -> None:
    """The bench notices faults put into the RTL on purpose."""
    op = Binarize(tokens=6, channels=12, in_bits=6, pe=2)
    params, frames = material(op, seed=3)
    assert_caught(op, params, frames, mutant(tmp_path, "bvit_binarize.sv", old, new))
