"""Put operators of one input and one output on streams of a hardware graph."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from bvit_hw.graph.hw_graph import Edge, HwGraph, HwNode


def insert_on_edges(graph: HwGraph, choose: Callable[[Edge], HwNode | None]) -> HwGraph:
    """The graph with what ``choose`` gives put on each edge.

    Every tensor must have one consumer. The operator goes right before the stream's consumer, and its output tensor
    takes the place of the edge's.
    """
    before: dict[str, list[HwNode]] = {}
    renamed: dict[tuple[str, int], str] = {}
    last: list[HwNode] = []
    output = graph.output
    for edge in graph.edges():
        node = choose(edge)
        if node is None:
            continue
        if edge.sink is None:
            last.append(node)
            output = node.outputs[0]
        else:
            before.setdefault(edge.sink.name, []).append(node)
            renamed[edge.sink.name, edge.sink_port] = node.outputs[0]
    nodes: list[HwNode] = []
    for node in graph.nodes:
        nodes.extend(before.get(node.name, []))
        inputs = tuple(renamed.get((node.name, port), tensor) for port, tensor in enumerate(node.inputs))
        nodes.append(replace(node, inputs=inputs))
    nodes.extend(last)
    return replace(graph, nodes=tuple(nodes), output=output)
