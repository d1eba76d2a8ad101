"""Which foldings of a BinaryAttention are worth considering: for each speed of a row the least that has it."""

from __future__ import annotations

from bvit_hw.ops.base import divisors

#: a size that does not divide the keys is offered where the next smaller one is less than this part of it
_NEIGHBOUR = 0.8


def group_sizes(keys: int) -> list[int]:
    """Into groups of how many the keys may be cut, ascending: divisors and, where those lie apart, what lies between.

    What lies between leaves the last group short: so a prime number of keys need not go one by one or all at once.
    """
    sizes: list[int] = []
    for size in sorted({-(-keys // groups) for groups in range(1, keys + 1)}):  # the least for each number of groups
        if keys % size == 0 or sizes[-1] < _NEIGHBOUR * size:
            sizes.append(size)
    return sizes


def attention_foldings(queries: int, keys: int, heads: int, head_dim: int) -> set[tuple[int, int, int, int]]:
    """(simd, kp, mp, pe): for each speed a row can have the least ``kp``, ``simd``, and ``pe`` for every ``mp``.

    ``simd`` equal to ``pe`` is offered too where it is more: it saves the neighbours a width converter. A ``kp`` that
    divides the keys is offered beside a lesser one that does not.
    """
    lanes, channels = divisors(head_dim), heads * head_dim
    groups = {size: -(-keys // size) for size in group_sizes(keys)}
    speeds = {*groups.values(), *(head_dim // simd for simd in lanes)}
    speeds |= {head_dim // pe * count for pe in lanes for count in groups.values()}
    found: set[tuple[int, int, int, int]] = set()
    for speed in speeds:
        fitting = [kp for kp, count in groups.items() if count <= speed]
        kps = {fitting[0], next(kp for kp in fitting if keys % kp == 0)}
        before = None  # pe of the next smaller mp
        for mp, count in groups.items():
            pe = next((pe for pe in lanes if head_dim // pe * count <= speed), None)
            # More keys at once than divide them have to save lanes.
            if pe is None or (pe == before and keys % mp):
                continue
            before = pe
            load = max(queries * heads * speed, keys * channels // pe)
            enough = (
                simd
                for simd in lanes
                if head_dim // simd <= speed
                and keys * channels // min(simd, pe) <= load
                and (simd % pe == 0 or pe % simd == 0)
            )
            simd = next(enough, head_dim)
            found |= {(s, kp, mp, pe) for s in (simd, max(simd, pe)) for kp in kps}
    return found
