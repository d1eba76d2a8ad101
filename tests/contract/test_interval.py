"""Intervals: what they hold is what their values reach, also beyond 64 bits."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.contract.interval import Interval, bits_of, signed_bits

SMALL = st.integers(-20, 20)
BOUNDS = st.tuples(SMALL, SMALL).map(sorted)


def values(interval: Interval) -> range:
    return range(interval.low, interval.high + 1)


@given(BOUNDS)
def test_width_is_the_smallest(bounds: list[int]) -> None:
    low, high = bounds
    bits = signed_bits(low, high)
    held = Interval.twos_complement(bits)
    assert held.low <= low and high <= held.high
    if bits > 1:
        less = Interval.twos_complement(bits - 1)
        assert low < less.low or high > less.high
    assert Interval(low, high).bits == bits == bits_of(np.array([low, high]))
    assert Interval(low, high).fits(bits) and (bits == 1 or not Interval(low, high).fits(bits - 1))


def test_width_of_the_most_negative_word_alone() -> None:
    """-8 takes 4 bits, also where nothing else is there."""
    assert signed_bits(-8, -8) == 4 and signed_bits(-9, -8) == 5 and signed_bits(0, 0) == 1 and signed_bits(-1, -1) == 1


@given(BOUNDS, BOUNDS)
def test_products_sums_and_unions_reach_their_bounds(a: list[int], b: list[int]) -> None:
    x, y = Interval(*a), Interval(*b)
    pairs = list(itertools.product(values(x), values(y)))
    for found, reached in (
        (x.times(y), [p * q for p, q in pairs]),
        (x + y, [p + q for p, q in pairs]),
        (x.joined(y), [*values(x), *values(y)]),
        (x.clipped(0, None), [max(p, 0) for p in values(x)]),
        (x.clipped(None, 0), [min(p, 0) for p in values(x)]),
        (x.scaled(b[0]), [p * b[0] for p in values(x)]),
        (x.shifted_right(2), [p >> 2 for p in values(x)]),
    ):
        assert (found.low, found.high) == (min(reached), max(reached))


@given(st.lists(st.tuples(BOUNDS, SMALL), min_size=1, max_size=4))
def test_an_interval_a_channel_is_that_of_each(channels: list[tuple[list[int], int]]) -> None:
    lows, highs, factors = (np.array(v) for v in zip(*((*bounds, factor) for bounds, factor in channels), strict=True))
    together = Interval(lows, highs).scaled(factors).joined(Interval(0, 0))
    for i, (bounds, factor) in enumerate(channels):
        alone = Interval(*bounds).scaled(factor).joined(Interval(0, 0))
        assert (together.low[i], together.high[i]) == (alone.low, alone.high)


def test_python_integers_stay_exact() -> None:
    word = Interval.twos_complement(40)
    assert word.times(word).scaled(1 << 30).high == 1 << (78 + 30) and word.times(word).bits == 80
