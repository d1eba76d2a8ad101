"""FirstToken in RTL against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.first_token import FirstToken


def first(tokens: int, channels: int, pe: int, bits: int = 8, signed: int = 1) -> FirstToken:
    return FirstToken(tokens=tokens, channels=channels, bits=bits, signed=signed, pe=pe)


def check(op: FirstToken, frames: int = 3, **options: object) -> None:
    rng = np.random.default_rng(op.channels + op.pe)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(frames)], **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles == op.tokens * op.channels // op.pe
    assert measured.latency_first == 0


@pytest.mark.parametrize(
    ("tokens", "channels", "pe", "bits", "signed"),
    [
        (10, 6, 1, 8, 1), (10, 6, 3, 5, 1), (17, 6, 6, 8, 1), (1, 4, 2, 8, 1), (1, 1, 1, 8, 1), (2, 1, 1, 8, 1),
        (4, 7, 1, 8, 0), (5, 12, 2, 1, 0),
    ],
)  # fmt: skip
def test_foldings(tokens: int, channels: int, pe: int, bits: int, signed: int) -> None:
    """A token of one beat and of many, beats no power of two, nothing to drop, bits."""
    check(first(tokens, channels, pe, bits, signed))


@pytest.mark.parametrize("pe", [2, 24])
def test_full_size(pe: int) -> None:
    """DeiT-S: the class token of 197 tokens of 384 channels."""
    check(first(197, 384, pe), frames=2, patterns=("full", "both", "reset"))


MUTATIONS = [
    ("bvit_first_token.sv", "m_axis_tvalid = s_axis_tvalid && wanted", "m_axis_tvalid = s_axis_tvalid"),
    ("bvit_first_token.sv", "m_axis_tready || !wanted", "m_axis_tready"),
    ("bvit_first_token.sv", "m_axis_tready || !wanted", "1'b1"),
    ("bvit_first_token.sv", "take = s_axis_tvalid && s_axis_tready", "take = s_axis_tready"),
    ("bvit_first_token.sv", "take && last_beat", "take"),
    ("bvit_first_token.sv", ".COUNT(TOKENS)", ".COUNT(TOKENS + 1)"),
    ("bvit_loop_counter.sv", "if (rst) index_q <= '0;\n      else if", "if"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = first(5, 6, 2)
    rng = np.random.default_rng(1)
    assert_caught(op, {}, [random_frame(op, rng) for _ in range(4)], mutant(tmp_path, file, old, new))
