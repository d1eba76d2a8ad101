"""Sizes of the groups that keys are cut into, and the foldings made of them."""

from __future__ import annotations

from itertools import pairwise

import pytest

from bvit_hw.ops.attention_folding import attention_foldings, group_sizes
from bvit_hw.ops.base import divisors


@pytest.mark.parametrize("keys", [1, 2, 4, 5, 17, 49, 50, 64, 101, 196, 197, 3137])
def test_sizes_lie_close_enough(keys: int) -> None:
    """Every divisor; at any speed a half more at once than the least that has it, at most."""
    sizes = group_sizes(keys)
    assert sizes == sorted(set(sizes)) and set(divisors(keys)) <= set(sizes)
    for groups in range(1, keys + 1):
        least = -(-keys // groups)
        assert next(size for size in sizes if -(-keys // size) <= groups) <= 1.5 * least


def test_few_keys_and_powers_of_two_are_cut_as_they_divide() -> None:
    """So that nothing changes where it was fine: the shipped networks have one and four keys."""
    assert [group_sizes(keys) for keys in (1, 2, 4)] == [[1], [1, 2], [1, 2, 4]]


def test_a_prime_number_of_keys_has_speeds_in_between() -> None:
    """DeiT-S with a class token: without short groups a row would take 197 cycles, or 197 score units in parallel."""
    speeds = sorted({-(-197 // kp) for _, kp, _, _ in attention_foldings(197, 197, 6, 64)})
    assert speeds[0] == 1 and speeds[-1] == 197 and len(speeds) > 12
    assert all(after <= 2 * before for before, after in pairwise(speeds))


def test_foldings_stay_few() -> None:
    assert len(attention_foldings(196, 196, 6, 64)) < 500
    assert len(attention_foldings(197, 197, 6, 64)) < 500
