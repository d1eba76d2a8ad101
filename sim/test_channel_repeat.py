"""ChannelRepeat in RTL against its golden function; its buffer is bvit_replay.sv."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.channel_repeat import ChannelRepeat


def repeat(
    tokens: int, channels: int, times: int, pe: int, bits: int = 8, signed: int = 1, copies: int = 1
) -> ChannelRepeat:
    return ChannelRepeat(tokens=tokens, channels=channels, repeat=times, bits=bits, signed=signed, pe=pe, copies=copies)


def check(op: ChannelRepeat, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.channels + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles
    assert measured.latency_first == 2


@pytest.mark.parametrize(
    ("channels", "times", "pe", "bits", "signed"),
    [
        (6, 3, 1, 8, 1), (6, 3, 2, 1, 0), (6, 2, 6, 5, 1), (7, 5, 7, 8, 1), (7, 4, 1, 8, 0), (4, 1, 2, 8, 1),
        (40, 2, 1, 8, 1),
    ],
)  # fmt: skip
def test_foldings(channels: int, times: int, pe: int, bits: int, signed: int) -> None:
    check(repeat(9, channels, times, pe, bits, signed))


@pytest.mark.parametrize(
    ("channels", "times", "copies", "bits"), [(6, 6, 2, 8), (6, 6, 3, 1), (1, 4, 4, 5), (5, 3, 3, 8)]
)
def test_whole_tokens_side_by_side(channels: int, times: int, copies: int, bits: int) -> None:
    check(repeat(9, channels, times, channels, bits, copies=copies))


@pytest.mark.parametrize(
    ("tokens", "channels", "times", "pe"),
    [(64, 32, 4, 1), (64, 32, 4, 8), (16, 64, 4, 4), (4, 128, 4, 16), (1, 256, 4, 1), (1, 256, 4, 256), (16, 32, 2, 8)],
)
def test_tiny_network(tokens: int, channels: int, times: int, pe: int) -> None:
    check(repeat(tokens, channels, times, pe))


@pytest.mark.parametrize(("tokens", "channels", "times", "pe"), [(3136, 64, 8, 16), (784, 128, 8, 32), (49, 512, 4, 2)])
def test_full_size(tokens: int, channels: int, times: int, pe: int) -> None:
    check(repeat(tokens, channels, times, pe), frames=1, patterns=("full", "both"))


def test_full_size_at_128_lanes() -> None:
    check(repeat(3136, 64, 8, 64, copies=2), frames=1, patterns=("full", "both"))


MUTATIONS = [
    ("bvit_replay.sv", "step && last_inner && last_outer", "step && last_inner"),
    ("bvit_replay.sv", "s_axis_tready = !full", "s_axis_tready = 1'b1"),
    ("bvit_replay.sv", "raddr != waddr || full", "1'b1"),
    ("bvit_replay.sv", "raddr != waddr || full", "raddr != waddr"),
    ("bvit_replay.sv", "if (group_end) read_bank_q", "if (step_outer) read_bank_q"),
    ("bvit_channel_repeat.sv", ".en(!m_axis_tvalid || m_axis_tready)", ".en(1'b1)"),
    ("bvit_replay.sv", "if (rst) valid <= 1'b0;\n    else if", "if"),
    ("bvit_replay.sv", "        read_bank_q <= 1'b0;\n", ""),
    ("bvit_replay.sv", "        write_bank_q <= 1'b0;\n", ""),
    ("bvit_replay.sv", "        used_q <= '0;\n", ""),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = repeat(9, 8, 3, 2)
    rng = np.random.default_rng(1)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))


COPIES_MUTATIONS = [
    ("bvit_channel_repeat.sv", ".OUTER(REPEAT / COPIES)", ".OUTER(REPEAT)"),
    ("bvit_channel_repeat.sv", "{COPIES{x}}", "(COPIES * PE * BITS)'(x)"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), COPIES_MUTATIONS)
def test_mutations_of_whole_tokens_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = repeat(9, 3, 6, 3, copies=2)
    rng = np.random.default_rng(1)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))
