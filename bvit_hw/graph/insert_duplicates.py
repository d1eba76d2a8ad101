"""Pass: a Duplicate wherever a tensor has several consumers, so that every stream goes from one place to one place."""

from __future__ import annotations

from dataclasses import replace

from bvit_hw.graph.glue import duplicate_op
from bvit_hw.graph.hw_graph import Edge, HwGraph, HwNode
from bvit_hw.graph.waiting import Waiting, plan_waiting

#: Bits that consumers of a tensor have to wait in common before they share a line: a second fork and its FIFO cost as
#: much as some thousand bits of LUT RAM.
LEAST_SHARED = 4_000


def insert_duplicates(graph: HwGraph) -> HwGraph:
    """The graph with every fork made explicit; copies of ``x`` are called ``x.fork0``, ``x.fork1``, ...

    Consumers that take a tensor late stand behind a fork of their own, ``x.fork2.fork``: it waits for them once.
    """
    edges: dict[str, list[Edge]] = {}
    for edge in graph.edges():
        edges.setdefault(edge.tensor, []).append(edge)
    forked = {tensor: group for tensor, group in edges.items() if len(group) > 1}
    if not forked:
        return graph
    waiting = plan_waiting(graph)
    forks: dict[str, list[HwNode]] = {}
    copies: dict[tuple[str, str | None, int], str] = {}
    for tensor, group in forked.items():
        forks[tensor] = _forks(graph, tensor, _in_turn(group, waiting), copies)
    nodes = list(forks.get(graph.input, []))
    for node in graph.nodes:
        inputs = tuple(copies.get((tensor, node.name, port), tensor) for port, tensor in enumerate(node.inputs))
        nodes.append(replace(node, inputs=inputs))
        nodes.extend(fork for tensor in node.outputs for fork in forks.get(tensor, []))
    return replace(graph, nodes=tuple(nodes), output=copies.get((graph.output, None, 0), graph.output))


def _in_turn(edges: list[Edge], waiting: Waiting) -> list[list[Edge]]:
    """The consumers of a tensor in groups, each of which takes it enough later than the one before to share a line."""

    def frames(edge: Edge) -> float:
        return 0.0 if edge.sink is None else waiting.held[edge.tensor, edge.sink.name, edge.sink_port]

    stream = edges[0].source_stream
    bits = stream.tokens * stream.channels * stream.bits
    groups: list[list[Edge]] = [[]]
    since = 0.0
    for edge in sorted(edges, key=frames):
        if groups[-1] and (frames(edge) - since) * bits >= LEAST_SHARED:
            groups.append([])
            since = frames(edge)
        groups[-1].append(edge)
    return [sorted(group, key=edges.index) for group in groups]


def _forks(
    graph: HwGraph, tensor: str, groups: list[list[Edge]], copies: dict[tuple[str, str | None, int], str]
) -> list[HwNode]:
    """A chain of forks, the last copy of each feeding the next one; ``copies`` get each consumer's tensor."""
    forks: list[HwNode] = []
    source = tensor
    for index, group in enumerate(groups):
        outputs: tuple[str, ...] = (source,)  # the last consumer alone
        count = len(group) + (index + 1 < len(groups))
        if count > 1:
            outputs = tuple(f"{source}.fork{i}" for i in range(count))
            op = duplicate_op(group[0].source_stream, count, target=graph.target)
            forks.append(HwNode(name=f"{source}.fork", op=op, inputs=(source,), outputs=outputs))
        for edge, copy in zip(group, outputs, strict=False):
            copies[tensor, edge.sink.name if edge.sink else None, edge.sink_port] = copy
        source = outputs[-1]
    return forks
