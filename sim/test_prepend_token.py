"""PrependToken in RTL against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, mutant, random_frame

from bvit_hw.ops.base import Params
from bvit_hw.ops.prepend_token import PrependToken


def prepend(tokens: int, channels: int, pe: int, bits: int = 8, signed: int = 1) -> PrependToken:
    return PrependToken(tokens=tokens, channels=channels, bits=bits, signed=signed, pe=pe)


def material(op: PrependToken, frames: int = 3) -> tuple[Params, list[tuple[np.ndarray, ...]]]:
    """A token in which no two beats are equal, where its values reach so far; random frames."""
    rng = np.random.default_rng(op.channels + op.pe)
    stream = op.outputs[0]
    token = stream.low + np.arange(op.channels) % (stream.high - stream.low + 1)
    return {"token": rng.permutation(token)}, [random_frame(op, rng) for _ in range(frames)]


def check(op: PrependToken, frames: int = 3, **options: object) -> None:
    params, played = material(op, frames)
    measured = check_op(op, params, played, **options)  # type: ignore[arg-type]
    assert measured.cycles_per_frame == op.cycles == (op.tokens + 1) * op.beats
    # The stored token leaves from the cycle after the offer on, the frame's first beat is taken behind it.
    assert measured.latency_first == 1 - op.beats


@pytest.mark.parametrize(
    ("tokens", "channels", "pe", "bits", "signed"),
    [
        (9, 6, 1, 8, 1), (9, 6, 3, 5, 1), (16, 6, 6, 8, 1), (1, 4, 2, 8, 1), (1, 1, 1, 8, 1), (3, 7, 1, 8, 0),
        (4, 12, 2, 1, 0), (2, 40, 1, 10, 1),
    ],
)  # fmt: skip
def test_foldings(tokens: int, channels: int, pe: int, bits: int, signed: int) -> None:
    """A token of one beat and of many, beats no power of two, a frame of one token, bits."""
    check(prepend(tokens, channels, pe, bits, signed))


def test_block_ram() -> None:
    """A token of 2048 values one at a time goes to block RAM."""
    op = prepend(2, 2048, 1)
    assert op.rtl(material(op)[0]).parameters["TOKEN_BLOCK"] == 1
    check(op)


@pytest.mark.parametrize("pe", [2, 24])
def test_full_size(pe: int) -> None:
    """DeiT-S: 196 tokens of 384 channels, and the class token."""
    check(prepend(196, 384, pe), frames=2, patterns=("full", "both", "reset"))


MUTATIONS = [
    ("bvit_prepend_token.sv", "assign en = !valid_q || m_axis_tready", "assign en = 1'b1"),
    ("bvit_prepend_token.sv", "s_axis_tready = en && !own", "s_axis_tready = en"),
    ("bvit_prepend_token.sv", "step = s_axis_tvalid && en", "step = en"),
    ("bvit_prepend_token.sv", "own_q ? stored", "own ? stored"),
    ("bvit_prepend_token.sv", ".COUNT(TOKENS + 1)", ".COUNT(TOKENS)"),
    ("bvit_prepend_token.sv", "step && last_beat", "step"),
    ("bvit_prepend_token.sv", "if (rst) valid_q <= 1'b0;\n    else if", "if"),
    ("bvit_prepend_token.sv", "else if (en) valid_q <= s_axis_tvalid", "else if (en) valid_q <= step && !own"),
    ("bvit_loop_counter.sv", "if (rst) index_q <= '0;\n      else if", "if"),
    ("bvit_rom.sv", "if (en) data_q <= mem[addr];\n  end\nendmodule", "data_q <= mem[addr];\n  end\nendmodule"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new"), MUTATIONS)
def test_mutations_are_caught(file: str, old: str, new: str, tmp_path: Path) -> None:
    op = prepend(5, 6, 2)
    params, frames = material(op, 4)
    assert_caught(op, params, frames, mutant(tmp_path, file, old, new))
