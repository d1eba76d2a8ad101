"""Dies: a folded graph is cut where a single stream crosses, one kernel a die, and its kernels are taken apart again.

A cut is two StreamRegisters in a row, the last operator of one kernel and the first of the next. So the whole stays one
graph: its FIFOs are sized, and it is simulated, with the crossings in it.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import pairwise

import numpy as np

from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.base import Resources
from bvit_hw.ops.stream_register import StreamRegister
from bvit_hw.targets.cost import KINDS

#: what the registers of a cut are called behind the tensor that crosses, as it leaves a die and as it enters one
LEAVES, ENTERS = ".leaves", ".enters"
#: how exactly the load of the fullest die is found, as a part of its limits
_EXACTNESS = 0.005
#: how full a die is with the operators between two places, 1 being its limits; more operators never are less
Fullness = Callable[[int, int, int], float]


def balanced_places(
    places: Sequence[int], dies: int, fullness: Fullness, *, least: int = 1, most: float = 1.0
) -> list[int] | None:
    """The places that part operators among the fewest dies that hold them, loaded evenly; None where all are too few.

    ``places`` are those of cuts, the first and the end with them. The result has those two as well. There are ``least``
    dies or more, none of them fuller than ``most``.
    """
    ways = (_filled(places, count, fullness, most) for count in range(least, dies + 1))
    bounds = next((way for way in ways if way is not None), None)
    if bounds is None:
        return None
    low, high = 0.0, most
    while high - low > _EXACTNESS:
        middle = (low + high) / 2
        found = _filled(places, len(bounds) - 1, fullness, middle)
        low, high, bounds = (middle, high, bounds) if found is None else (low, middle, found)
    return bounds


def _filled(places: Sequence[int], dies: int, fullness: Fullness, most: float) -> list[int] | None:
    """Dies filled one after the other, each as far as ``most``; None where operators are left."""
    bounds = [0]
    for die in range(dies):
        begin = bounds[-1]
        end = bisect_right(range(begin + 1, len(places)), most, key=lambda i: fullness(die, places[begin], places[i]))
        if end == 0:
            return None
        bounds.append(begin + end)
        if bounds[-1] == len(places) - 1:
            return [places[bound] for bound in bounds]
    return None


def overfull(stitched: HwGraph, border: Resources, dies: Sequence[Resources]) -> dict[str, float]:
    """What of a stitched graph does not fit its dies: how often the limit of a kind would be needed where it is worst.

    ``border`` stands around the core, on the first die.
    """
    found: dict[str, float] = {}
    for number, (kernel, limits) in enumerate(zip(kernels(stitched), dies, strict=False)):
        needed = kernel.resources() + (border if number == 0 else Resources())
        for kind in KINDS:
            if getattr(needed, kind) > getattr(limits, kind):
                times = getattr(needed, kind) / getattr(limits, kind) if getattr(limits, kind) else np.inf
                found[kind] = max(times, found.get(kind, 0.0))
    return found


def with_cuts(graph: HwGraph, tensors: Sequence[str]) -> HwGraph:
    """``graph`` (without glue) with the registers of a cut on each of ``tensors``."""
    producers, renamed = graph.producers(), {}
    behind: dict[str, list[HwNode]] = {}
    for tensor in tensors:
        node, port = producers[tensor]
        stream = node.op.outputs[port]
        register = StreamRegister.of(stream, pe=stream.lanes, target=graph.target)
        leaves, enters = f"{tensor}{LEAVES}", f"{tensor}{ENTERS}"
        renamed[tensor] = enters
        behind[node.name] = [
            HwNode(name=leaves, op=register, inputs=(tensor,), outputs=(leaves,)),
            HwNode(name=enters, op=register, inputs=(leaves,), outputs=(enters,)),
        ]
    nodes: list[HwNode] = []
    for node in graph.nodes:
        nodes.append(replace(node, inputs=tuple(renamed.get(tensor, tensor) for tensor in node.inputs)))
        nodes += behind.get(node.name, [])
    return replace(graph, nodes=tuple(nodes))


def is_cut(before: HwNode, node: HwNode) -> bool:
    """Whether a die ends between two operators that follow each other."""
    return before.op.is_die_border and node.op.is_die_border and before.outputs == node.inputs


def kernels(graph: HwGraph) -> list[HwGraph]:
    """The kernels of ``graph`` (with or without glue), one a die, in order; one where it is not cut."""
    places = [i for i, pair in enumerate(pairwise(graph.nodes), 1) if is_cut(*pair)]
    bounds = [0, *places, len(graph.nodes)]
    return [
        replace(
            graph,
            name=graph.name if len(bounds) == 2 else f"{graph.name}_die{number}",
            nodes=graph.nodes[a:b],
            input=graph.input if a == 0 else graph.nodes[a].inputs[0],
            output=graph.output if b == len(graph.nodes) else graph.nodes[b - 1].outputs[0],
        )
        for number, (a, b) in enumerate(pairwise(bounds))
    ]
