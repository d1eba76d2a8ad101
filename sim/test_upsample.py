"""Upsample in RTL against its golden function; its buffer is bvit_replay.sv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.upsample import Upsample


def upsample(height: int, width: int, channels: int, factor: int, pe: int, bits: int = 8, signed: int = 1) -> Upsample:
    return Upsample(
        height=height, width=width, channels=channels, factor=factor, bits=bits, signed=signed, pe=pe
    )


def check(op: Upsample, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.channels + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles
    assert measured.latency_first == 2


@pytest.mark.parametrize("pe", [1, 6])
@pytest.mark.parametrize(
    ("height", "width", "factor", "bits", "signed"),
    [(4, 4, 2, 8, 1), (6, 3, 3, 5, 1), (2, 6, 2, 1, 0), (4, 4, 4, 8, 0), (3, 2, 1, 8, 1), (2, 8, 2, 8, 1)],
)
def test_grids(height: int, width: int, factor: int, bits: int, signed: int, pe: int) -> None:
    check(upsample(height, width, 6, factor, pe, bits, signed))


@pytest.mark.parametrize(
    ("side", "channels", "factor", "pe"), [(8, 32, 4, 1), (8, 32, 4, 32), (4, 64, 2, 4), (8, 32, 4, 8)]
)
def test_tiny_network(side: int, channels: int, factor: int, pe: int) -> None:
    check(upsample(side, side, channels, factor, pe))


@pytest.mark.parametrize(("side", "channels", "factor", "pe"), [(56, 64, 8, 4), (28, 128, 4, 8)])
def test_full_size(side: int, channels: int, factor: int, pe: int) -> None:
    check(upsample(side, side, channels, factor, pe), frames=2, patterns=("full", "both", "reset"))


MUTATIONS = [
    ("bvit_replay.sv", "place_q - PLACE_BITS'(BEATS - 1)", "place_q - PLACE_BITS'(BEATS)"),
    ("bvit_replay.sv", "step && last_inner && last_outer", "step && last_outer"),
    ("bvit_replay.sv", "if (last_beat && !last_inner)", "if (last_beat && !last_chunk)"),
    ("bvit_replay.sv", "else if (last_beat && last_chunk) place_q", "else if (group_end) place_q"),
    ("bvit_upsample.sv", ".CHUNKS(WIDTH / FACTOR)", ".CHUNKS(WIDTH)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = upsample(4, 6, 6, 2, 2)  # three beats a token
    rng = np.random.default_rng(1)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))
