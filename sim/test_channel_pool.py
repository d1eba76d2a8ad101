"""ChannelPool in RTL against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.channel_pool import ChannelPool


def check(op: ChannelPool, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.channels + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles


@pytest.mark.parametrize(
    ("channels", "group", "pe", "in_bits"),
    [
        (16, 4, 1, 8), (16, 4, 2, 8), (16, 4, 4, 8), (16, 4, 8, 8), (16, 4, 16, 8),
        (30, 5, 1, 3), (30, 5, 5, 9), (30, 5, 10, 9), (30, 6, 3, 2), (30, 3, 15, 1), (7, 7, 7, 8), (6, 1, 2, 8),
    ],
)  # fmt: skip
def test_foldings(channels: int, group: int, pe: int, in_bits: int) -> None:
    check(ChannelPool(tokens=9, channels=channels, group=group, in_bits=in_bits, pe=pe))


@pytest.mark.parametrize(
    ("tokens", "channels", "pe"), [(64, 128, 1), (64, 128, 16), (16, 256, 8), (4, 512, 4), (1, 1024, 32)]
)
def test_tiny_network(tokens: int, channels: int, pe: int) -> None:
    check(ChannelPool(tokens=tokens, channels=channels, group=4, in_bits=8, pe=pe))


@pytest.mark.parametrize(
    ("tokens", "channels", "group", "pe"), [(3136, 512, 8, 32), (784, 1024, 8, 64), (49, 2048, 4, 16)]
)
def test_full_size(tokens: int, channels: int, group: int, pe: int) -> None:
    op = ChannelPool(tokens=tokens, channels=channels, group=group, in_bits=8, pe=pe)
    check(op, frames=1, patterns=("full", "both"))


MUTATIONS = [
    ("(first ? '0 : sum_q)", "sum_q"),
    ("valid_q <= take && last", "valid_q <= take"),
    ("!valid_q || m_axis_tready", "1'b1"),
    ("if (rst) valid_q <= 1'b0;\n    else if", "if"),
    ("node[2*n] + node[2*n+1]", "node[2*n] - node[2*n+1]"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("old", "new"), MUTATIONS)
def test_mutations_are_caught(old: str, new: str, tmp_path: Path) -> None:
    op = ChannelPool(tokens=9, channels=16, group=8, in_bits=8, pe=4)
    rng = np.random.default_rng(1)
    mutated = mutant(tmp_path, "bvit_channel_pool.sv", old, new)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutated)
