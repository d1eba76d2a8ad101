"""Dies: a folded graph is cut where a single stream crosses, one kernel a die, and its kernels are taken apart again.

A cut is two StreamRegisters in a row, the last operator of one kernel and the first of the next. So the whole stays one
graph: its FIFOs are sized, and it is simulated, with the crossings in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np

from bvit_hw.graph.folding_choices import KINDS, vector
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.segments import crossings
from bvit_hw.ops.base import Resources
from bvit_hw.ops.stream_register import StreamRegister

#: what the registers of a cut are called behind the tensor that crosses, as it leaves a die and as it enters one
LEAVES, ENTERS = ".leaves", ".enters"


LUT = KINDS.index("lut")
#: about how many LUTs do the work of one of each, where a folding has the choice: weights of 256 words in LUT RAM, a
#: multiplier of 8 x 13 bits. A die that lacks blocks is still good for a kernel if it has LUTs left.
IN_LUTS = np.array([{"bram18": 150.0, "dsp": 80.0}.get(kind, 0.0) for kind in KINDS])


@dataclass(frozen=True, kw_only=True)
class Cut:
    """Where a graph is cut: ``tensors`` cross, in order; ``use`` is the largest part of a limit that a die uses.

    ``short`` are the kinds of resources of which a die lacks some, each with how often its limit would be needed;
    nothing where every die holds its kernel.
    """

    tensors: tuple[str, ...] = ()
    use: float = 0.0
    short: Mapping[str, float] = field(default_factory=dict)


def best_cut(graph: HwGraph, stitched: HwGraph, border: Resources, dies: Sequence[Resources]) -> Cut:
    """The cut of ``graph`` (without glue) into the fewest kernels that fit ``dies``, or may after another folding.

    Of several it is the one that loads them most evenly.

    ``stitched`` is the same graph with its glue, ``border`` what stands around the core; that is on the first die.
    Where nothing fits, the cut that comes nearest.
    """
    tensors = _shared_crossings(graph, stitched)
    places = [0, *tensors.values(), len(stitched.nodes)]
    costs = np.array([vector(node.op.resources()) for node in stitched.nodes])
    sums = np.vstack([np.zeros(len(KINDS)), np.cumsum(costs, axis=0)])
    limits = np.array([vector(die) for die in dies])
    first = np.array(vector(border))

    def part(die: int, begin: int, end: int) -> np.ndarray:
        """Parts of the limits that the operators between two places use."""
        needed = sums[places[end]] - sums[places[begin]] + (first if die == 0 else 0.0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(np.where(needed > 0, needed / limits[die], 0.0))

    def fullness(die: int, begin: int, end: int) -> float:
        """The largest of those parts, once what is too much is made of LUTs."""
        parts = part(die, begin, end)
        beyond = np.maximum(parts - 1, 0) * np.where(np.isfinite(parts), limits[die], 0)
        parts[LUT] += float(IN_LUTS @ beyond) / limits[die][LUT]
        return float(np.max(np.where(IN_LUTS > 0, np.minimum(parts, 1), parts)))

    def shared(count: int) -> tuple[float, list[int]]:
        """The least that the fullest of ``count`` dies is used, and the places where each begins."""
        least = {0: (0.0, [0])}
        for die in range(count):
            ends = range(die + 1, len(places) - (count - die - 1)) if die + 1 < count else [len(places) - 1]
            found = {}
            for end in ends:
                ways = [(max(use, fullness(die, begins[-1], end)), begins) for use, begins in least.values()
                        if begins[-1] < end]  # fmt: skip
                if ways:
                    use, begins = min(ways)
                    found[end] = (use, [*begins, end])
            least = found
        return least[len(places) - 1]

    counts = range(1, min(len(dies), len(places) - 1) + 1)
    tried = [shared(count) for count in counts]
    _, begins = next((way for way in tried if way[0] <= 1), min(tried))
    most = np.max([part(die, a, b) for die, (a, b) in enumerate(pairwise(begins))], axis=0)
    names = list(tensors)
    return Cut(
        tensors=tuple(names[begin - 1] for begin in begins[1:-1]),
        use=float(np.max(most)),
        short={kind: float(part) for kind, part in zip(KINDS, most, strict=True) if part > 1},
    )


def _shared_crossings(graph: HwGraph, stitched: HwGraph) -> dict[str, int]:
    """Tensors of ``graph`` that alone cross it, and the places of ``stitched`` behind their producers."""
    alone = set(crossings(graph).values()) - {graph.input}
    return {tensor: place for place, tensor in crossings(stitched).items() if tensor in alone}


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
    both = isinstance(before.op, StreamRegister) and isinstance(node.op, StreamRegister)
    return both and before.outputs == node.inputs


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
