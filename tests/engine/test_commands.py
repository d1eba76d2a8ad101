"""Commands, steps and taps come back as they were written; numbers that do not fit are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.engine.commands import (
    PLACES,
    WORDS,
    Command,
    Kind,
    Memory,
    Step,
    Tap,
    View,
    decode,
    decode_step,
    decode_tap,
)

number = st.integers(0, 0xFFFF)
view = st.builds(View, number, number, number, number)


@given(view, view, number, st.integers(0, 255), st.booleans(), st.sampled_from(list(Memory)))
def test_a_command_comes_back(out: View, x: View, count: int, small: int, prelu: bool, memory: Memory) -> None:
    command = Command(
        kind=Kind.COMPUTE, values_out=out, operand3=x, n1=count, group2=count, out_shift=small, prelu=prelu,
        memory=memory, address=count << 16 | small,
    )  # fmt: skip
    assert decode(command.encode()) == command


@given(number, number, st.integers(0, 4), st.integers(0, 4), st.booleans(), st.booleans())
def test_a_step_comes_back(bits: int, weights: int, start: int, count: int, ones: bool, double: bool) -> None:
    step = Step(bits, weights, start if count else 0, count, ones, double)
    assert decode_step(step.word) == step


@given(st.integers(0, 4), number, st.integers(1, 4), st.integers(-64, 64), st.integers(0, 15), st.booleans())
def test_a_tap_comes_back(source: int, offset: int, count: int, lane: int, coef: int, post: bool) -> None:
    tap = Tap(source, offset, count, not post, lane, 31, coef, 6, 63, post)
    assert decode_tap(tap.word) == tap


def test_no_two_fields_share_a_bit() -> None:
    taken = [(word, low + i) for word, low, width in PLACES.values() for i in range(width)]
    assert len(taken) == len(set(taken)) and all(0 <= w < WORDS and 0 <= b < 64 for w, b in taken)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"COMPUTE: n1=65536 does not fit 16 bits"):
        Command(kind=Kind.COMPUTE, n1=65536).encode()
