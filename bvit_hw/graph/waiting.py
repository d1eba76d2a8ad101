"""Where streams wait for each other: a plan, made before anything is folded, of what FIFOs have to hold.

Unit is the frame: with operators folded to equal rates, a tensor's first value appears a fraction of a frame after the
input's. Where an operator joins streams, the early one waits. It may wait right there, or its producer may start later,
so that less has to be held: a few keys before Upsample in place of all the copies behind it. A linear programme over
the operators' starts finds the places that hold the fewest bits. Real depths come from simulation
(:mod:`bvit_hw.graph.fifo_sizing`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import numpy as np

from bvit_hw.errors import LoweringError
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.programme import Programme

#: (tensor, consumer's name, port)
Link = tuple[str, str, int]
#: bits that a start is worth which comes a frame earlier: it decides only where places hold equally many
_EARLINESS = 1e-3
#: frames that count as none: the solver's rounding
ROUNDING = 1e-6


@dataclass(frozen=True)
class Waiting:
    """``held``: frames of a tensor that wait before a consumer; ``delayed``: who starts later than data allow.

    Consumers of one tensor take it one after another from the same line: what an early one has waited for, a later one
    has not to hold again. ``bits`` are those of all lines together. ``starts``: when a tensor's first value is there,
    in frames from the input's first value.
    """

    held: Mapping[Link, float]
    delayed: frozenset[str]
    bits: float
    starts: Mapping[str, float]

    @property
    def latency(self) -> float:
        """Frames to the start of the last operator: so many are under way at once."""
        return max(self.starts.values())

    def own(self, graph: HwGraph) -> dict[Link, float]:
        """What each consumer adds to the line of its tensor, in the order in which they take from it."""
        added = {}
        for tensor, readers in graph.consumers().items():
            before = 0.0
            for node, port in sorted(readers, key=lambda reader: self.held[tensor, reader[0].name, reader[1]]):
                link = (tensor, node.name, port)
                more = self.held[link] - before
                added[link] = more if more > ROUNDING else 0.0
                before = self.held[link]
        return added


@dataclass(frozen=True)
class _Start:
    """An operator as the programme sees it; each input is (tensor, lag, bits of a frame, whether it may wait)."""

    name: str
    inputs: tuple[tuple[str, float, int, bool], ...]
    outputs: tuple[str, ...]


def plan_waiting(graph: HwGraph) -> Waiting:
    """The plan for ``graph``. With FIFOs in it, streams wait in them alone."""
    stitched = any(node.op.fifo_depth for node in graph.nodes)
    return _plan(graph.input, tuple(_start(node, stitched) for node in graph.nodes))


def _start(node: HwNode, stitched: bool) -> _Start:
    waits = not stitched or bool(node.op.fifo_depth)
    inputs = zip(node.inputs, node.op.lags, node.op.inputs, strict=True)
    return _Start(
        node.name,
        tuple((tensor, lag, stream.tokens * stream.channels * stream.bits, waits) for tensor, lag, stream in inputs),
        node.outputs,
    )


@cache
def _plan(first: str, starts: tuple[_Start, ...]) -> Waiting:
    """Folding asks for hundreds of graphs that differ in their lanes alone, so a plan is kept."""
    programme = Programme()
    column: dict[str, int] = {}
    earliest: dict[str, float] = {first: 0.0}
    lines: dict[str, int] = {}
    for node in starts:
        start = programme.variable(_EARLINESS, np.inf, integer=False)
        for tensor, lag, bits, waits in node.inputs:
            # start - lag is when the operator takes the tensor's first value; its producer's start is when that is
            # there.
            terms = [(start, 1.0), *([(column[tensor], -1.0)] if tensor in column else [])]
            programme.row(terms, lag, np.inf if waits else lag)
            if not waits:
                continue
            if tensor not in lines:
                lines[tensor] = programme.variable(float(bits), np.inf, integer=False)
            programme.row([*terms, (lines[tensor], -1.0)], -np.inf, lag)
        soonest = max((earliest[tensor] + lag for tensor, lag, _, _ in node.inputs), default=0.0)
        for tensor in node.outputs:
            column[tensor], earliest[tensor] = start, soonest
    values = programme.solve(gap=0.0, nodes=1)
    if values is None:
        raise LoweringError("no plan of waiting: streams join in front of an operator that has no FIFO there")
    planned = {tensor: float(values[index]) for tensor, index in column.items()} | {first: 0.0}
    held = {}
    for node in starts:
        for port, (tensor, lag, _, _) in enumerate(node.inputs):
            frames = planned[node.outputs[0]] - lag - planned[tensor]
            held[tensor, node.name, port] = frames if frames > ROUNDING else 0.0
    delayed = frozenset(n.name for n in starts if planned[n.outputs[0]] > earliest[n.outputs[0]] + ROUNDING)
    held_bits = sum((programme.cost[line] * float(values[line]) for line in lines.values()), 0.0)
    return Waiting(held, delayed, held_bits, planned)
