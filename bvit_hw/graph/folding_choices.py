"""What the folding of one operator may be: choices with cycles, cost and lanes, and which of them are worth a look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

from bvit_hw.errors import FoldingError
from bvit_hw.graph.glue import converter_op
from bvit_hw.ops.base import HwOp, Resources, Stream
from bvit_hw.targets import Target
from bvit_hw.targets.cost import KINDS as KINDS


@dataclass(frozen=True)
class Choice:
    """One folding of an operator: its cycles a frame, its cost in the order of KINDS, lanes of inputs and outputs."""

    op: HwOp
    cycles: int
    cost: tuple[float, ...]
    lanes: tuple[int, ...]


def vector(resources: Resources) -> tuple[float, ...]:
    """The amounts in the order of KINDS."""
    return tuple(float(getattr(resources, kind)) for kind in KINDS)


@cache
def choices_of(op: HwOp) -> tuple[Choice, ...]:
    """Every folding of an operator with its cycles, cost and lanes; only itself for glue."""
    candidates = [op] if op.is_glue else list(op.foldings())
    if not candidates:
        raise FoldingError(f"{op.op_type}: has no legal folding")
    return tuple(
        Choice(c, c.cycles, vector(c.resources()), tuple(s.lanes for s in (*c.inputs, *c.outputs))) for c in candidates
    )


def pareto(choices: Sequence[Choice], *, by_lanes: bool) -> list[Choice]:
    """Choices that no other one beats in every resource (among those of equal lanes, if ``by_lanes``)."""
    kept: list[Choice] = []
    for c in sorted(choices, key=lambda c: (c.cost, c.cycles)):
        rivals = (k for k in kept if not by_lanes or k.lanes == c.lanes)
        if not any(all(a <= b for a, b in zip(k.cost, c.cost, strict=True)) for k in rivals):
            kept.append(c)
    return kept


@cache
def _conversion(stream: Stream, lanes: int, target: Target) -> tuple[float, ...]:
    """What it costs to take ``stream`` to so many lanes, or from them; nothing where it has them."""
    if stream.lanes == lanes:
        return (0.0,) * len(KINDS)
    return vector(converter_op(stream, lanes, target=target).resources())


@cache
def unconverted(choices: tuple[Choice, ...]) -> tuple[Choice, ...]:
    """Choices but those in whose place another one, with width converters at its streams, costs no more of anything.

    A FIFO that a converter may ask for is not counted, nor the copies of a stream that forks. So the cheapest folding
    of a graph is missed by a little: 0.1 % of its price for the tiny network.
    """
    kept: list[Choice] = []
    for choice in sorted(choices, key=lambda c: (c.cost, c.cycles)):
        for other in kept:
            streams = zip((*other.op.inputs, *other.op.outputs), choice.lanes, strict=True)
            conversions = [_conversion(stream, lanes, other.op.target) for stream, lanes in streams]
            replaced = [sum(parts) for parts in zip(other.cost, *conversions, strict=True)]
            if all(cost <= own for cost, own in zip(replaced, choice.cost, strict=True)):
                break
        else:
            kept.append(choice)
    return tuple(kept)


def by_lanes_of(pairs: Sequence[tuple[Choice, int]], index: int) -> dict[int, list[int]]:
    """Columns of a programme by the lanes that their choices have at one stream, inputs counted before outputs."""
    lanes: dict[int, list[int]] = {}
    for choice, column in pairs:
        lanes.setdefault(choice.lanes[index], []).append(column)
    return lanes
