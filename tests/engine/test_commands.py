"""Commands, steps and taps come back as they were written; numbers that do not fit are refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.engine.commands import (
    MATRIX,
    MID_SHIFTS,
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
    up_to,
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


@given(st.integers(0, 4), number, st.integers(-64, 64), st.integers(0, 15), st.booleans())
def test_a_tap_comes_back(source: int, offset: int, lane: int, coef: int, high: bool) -> None:
    tap = Tap(source, offset, 1, not high, lane, 31, coef, high)
    assert decode_tap(tap.word) == tap


def test_a_tap_of_several_bytes_is_taps_of_one() -> None:
    tap = Tap(2, 10, 3, True, -1, 4, 5)
    assert [(t.offset, t.bytes, t.signed, t.shift, t.high) for t in tap.split()] == [
        (10, 1, False, 4, False), (11, 1, False, 4, True), (12, 1, True, 12, True)
    ]  # fmt: skip
    assert {(t.source, t.lane, t.coef) for t in tap.split()} == {(2, -1, 5)}


def test_a_sum_is_twice_the_half_that_the_engine_takes() -> None:
    assert [(t.shift, t.high) for t in Tap(MATRIX, shift=6).split()] == [(7, False)]
    assert [(t.shift, t.high) for t in Tap(MATRIX, shift=7).split()] == [(8, False)]


def test_a_shift_becomes_the_next_one_that_there_is() -> None:
    assert [up_to(MID_SHIFTS, n) for n in (0, 1, 4, 5, 12, 13)] == [0, 4, 4, 8, 12, 12]


def test_no_two_fields_share_a_bit() -> None:
    taken = [(word, low + i) for word, low, width in PLACES.values() for i in range(width)]
    assert len(taken) == len(set(taken)) and all(0 <= w < WORDS and 0 <= b < 64 for w, b in taken)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match=r"COMPUTE: n1=65536 does not fit 16 bits"):
        Command(kind=Kind.COMPUTE, n1=65536).encode()
