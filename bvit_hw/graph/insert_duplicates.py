"""Pass: a Duplicate wherever a tensor has several consumers, so that every stream goes from one place to one place."""

from __future__ import annotations

from dataclasses import replace

from bvit_hw.graph.glue import duplicate_op
from bvit_hw.graph.hw_graph import HwGraph, HwNode


def insert_duplicates(graph: HwGraph) -> HwGraph:
    """The graph with every fork made explicit; copies of ``x`` are called ``x.fork0``, ``x.fork1``, ..."""
    counts: dict[str, int] = {}
    edges = graph.edges()
    for edge in edges:
        counts[edge.tensor] = counts.get(edge.tensor, 0) + 1
    forks: dict[str, HwNode] = {}
    for edge in edges:
        if counts[edge.tensor] > 1 and edge.tensor not in forks:
            copies = counts[edge.tensor]
            forks[edge.tensor] = HwNode(
                name=f"{edge.tensor}.fork",
                op=duplicate_op(edge.source_stream, copies, target=graph.target),
                inputs=(edge.tensor,),
                outputs=tuple(f"{edge.tensor}.fork{i}" for i in range(copies)),
            )
    if not forks:
        return graph
    taken = dict.fromkeys(forks, 0)

    def copy_of(tensor: str) -> str:
        if tensor not in forks:
            return tensor
        taken[tensor] += 1
        return forks[tensor].outputs[taken[tensor] - 1]

    nodes = [forks[graph.input]] if graph.input in forks else []
    for node in graph.nodes:
        nodes.append(replace(node, inputs=tuple(copy_of(tensor) for tensor in node.inputs)))
        nodes.extend(forks[tensor] for tensor in node.outputs if tensor in forks)
    return replace(graph, nodes=tuple(nodes), output=copy_of(graph.output))
