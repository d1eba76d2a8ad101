"""PatchGather in RTL against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.patch_gather import PatchGather


def gather(
    height: int, width: int, channels: int, window: tuple[int, int], pe: int, bits: int = 8, signed: int = 0
) -> PatchGather:
    return PatchGather(
        height=height, width=width, channels=channels, window_h=window[0], window_w=window[1], bits=bits,
        signed=signed, pe=pe,
    )  # fmt: skip


def check(op: PatchGather, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.height * 100 + op.width + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles
    waits = (op.window_h - 1) * op.width * op.channels // op.pe + 2 if op.words else 1
    assert measured.latency_first == waits


@pytest.mark.parametrize("pe", [1, 6])
@pytest.mark.parametrize(
    ("height", "width", "window"),
    [(4, 4, (2, 2)), (6, 4, (3, 1)), (4, 6, (2, 3)), (4, 4, (1, 2)), (4, 4, (4, 4)), (8, 2, (4, 1)), (5, 3, (5, 1)),
     (4, 3, (1, 1)), (2, 1, (2, 1))],
)  # fmt: skip
def test_windows(height: int, width: int, window: tuple[int, int], pe: int) -> None:
    check(gather(height, width, 6, window, pe))


@pytest.mark.parametrize(
    "op",
    [
        *(gather(32, 8, 12, (4, 1), pe) for pe in (1, 3, 12)),  # stem: four pixels of three bytes are a token
        gather(8, 8, 32, (2, 2), 1, bits=1),
        gather(8, 8, 32, (2, 2), 32, bits=1),
        gather(4, 4, 64, (2, 2), 8, bits=1),
        gather(2, 2, 128, (2, 2), 16, bits=1),
        gather(4, 4, 64, (2, 2), 4, bits=8, signed=1),
    ],
)
def test_tiny_network(op: PatchGather) -> None:
    check(op)


@pytest.mark.parametrize(
    "op",
    [
        gather(224, 56, 12, (4, 1), 2),
        gather(56, 56, 64, (2, 2), 8, bits=1),
        gather(14, 14, 256, (2, 2), 64, bits=1),
        gather(28, 28, 128, (2, 2), 16, bits=8, signed=1),
    ],
)
def test_full_size(op: PatchGather) -> None:
    check(op, frames=2, patterns=("full", "both", "reset"))


MUTATIONS = [
    ("span_q != COUNT_BITS'(WORDS) || band_done", "1'b1"),
    ("span_q != COUNT_BITS'(WORDS) || band_done", "span_q != COUNT_BITS'(WORDS)"),
    ("(!first_y || span_q > COUNT_BITS'(AHEAD))", "1'b1"),
    ("ROW - CHUNK + 1", "ROW - CHUNK"),
    ("(AHEAD + 1)", "(AHEAD)"),
    ("!valid_q || m_axis_tready", "1'b1"),
    ("      span_q <= '0;\n", ""),
    ("      waddr_q <= '0;\n", ""),
]


@pytest.mark.slow
def test_reading_a_beat_early_is_caught(tmp_path: Path) -> None:
    """With one beat a token the beat below is read right after; more beats would need a rare pause to show it."""
    op = gather(8, 6, 4, (2, 1), 4)
    rng = np.random.default_rng(1)
    mutated = mutant(tmp_path, "bvit_patch_gather.sv", "span_q > COUNT_BITS'(AHEAD)", "span_q > COUNT_BITS'(AHEAD - 1)")
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutated)


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), MUTATIONS)
def test_mutations_are_caught(old: str, new: str, tmp_path: Path) -> None:
    op = gather(9, 6, 4, (3, 2), 2)
    rng = np.random.default_rng(1)
    mutated = mutant(tmp_path, "bvit_patch_gather.sv", old, new)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutated)
