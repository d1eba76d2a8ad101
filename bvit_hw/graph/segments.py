"""Parts of a stitched graph between which a single stream crosses: each can be compiled by itself.

Blocks of a transformer are such parts, and most of them are alike. A part is renamed by the places of its operators, so
that parts of equal operators give equal RTL, which is compiled once; only their memories' contents differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from bvit_hw.graph.hw_graph import HwGraph, HwNode

#: operators of a part at least, so that a chain is not cut at every link
LEAST_NODES = 12


@dataclass(frozen=True, kw_only=True)
class Segment:
    """A part of a graph, renamed; ``names`` are what its operators and tensors are called in the whole."""

    graph: HwGraph
    names: Mapping[str, str]


def segments(graph: HwGraph, least: int = LEAST_NODES) -> list[Segment]:
    """``graph`` (stitched) in parts of ``least`` operators or more, in order; what leaves one is all the next one gets.

    Each part has a FIFO; there may be but one part.
    """
    bounds = [0]
    for place in crossings(graph):
        enough = place - bounds[-1] >= least and len(graph.nodes) - place >= least
        if enough and any(node.op.fifo_depth for node in graph.nodes[bounds[-1] : place]):
            bounds.append(place)
    if len(bounds) > 1 and not any(node.op.fifo_depth for node in graph.nodes[bounds[-1] :]):
        bounds.pop()
    ends = [*bounds[1:], len(graph.nodes)]
    return [_segment(graph, graph.nodes[a:b], b == ends[-1]) for a, b in zip(bounds, ends, strict=True)]


def crossings(graph: HwGraph) -> dict[int, str]:
    """Places of the operators that read the only stream which crosses from all before them, and that stream."""
    found, live = {}, {graph.input}
    last = {tensor: place for place, node in enumerate(graph.nodes) for tensor in node.inputs}
    for place, node in enumerate(graph.nodes):
        if place and len(live) == 1 and live <= set(node.inputs):
            (found[place],) = live
        live = {tensor for tensor in live | set(node.outputs) if last.get(tensor, 0) > place}
    return found


def _segment(graph: HwGraph, nodes: tuple[HwNode, ...], last: bool) -> Segment:
    tensors: dict[str, str] = {}
    for node in nodes:
        for tensor in (*node.inputs, *node.outputs):
            tensors.setdefault(tensor, f"t{len(tensors)}")
    names = {f"n{place}": node.name for place, node in enumerate(nodes)}
    renamed = tuple(
        replace(
            node,
            name=name,
            inputs=tuple(tensors[tensor] for tensor in node.inputs),
            outputs=tuple(tensors[tensor] for tensor in node.outputs),
        )
        for name, node in zip(names, nodes, strict=True)
    )
    read = {tensor for node in nodes for tensor in node.inputs}
    (output,) = {graph.output} if last else {t for node in nodes for t in node.outputs} - read
    part = replace(graph, name="segment", nodes=renamed, input=tensors[nodes[0].inputs[0]], output=tensors[output])
    return Segment(graph=part, names=names | {new: tensor for tensor, new in tensors.items()})
