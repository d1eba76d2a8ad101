"""Pass: what early and late consumers read is computed twice, so that only what it is computed from has to wait.

A block's x goes through a norm to its keys, which are wanted at once, and to its queries, which are taken a frame
later, when all keys are in; x itself waits as long for the residual sum. With the norm once more behind that line, x
waits alone, and neither the norm's result nor the queries made of it do.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.graph.waiting import plan_waiting

#: Bits of waiting that one more operator has to save: six block RAMs (halves), or 1,600 LUTs as LUT RAM. A norm of
#: eight lanes takes a few hundred.
LEAST_SAVING = 100_000


def recompute_late(graph: HwGraph) -> HwGraph:
    """The graph with a second copy, ``NAME.late``, of each operator of which one saves :data:`LEAST_SAVING` bits."""
    apart, copies = graph, {node.name: _for_each_reader(graph, node) for node in graph.nodes if _may(graph, node)}
    for each in copies.values():
        apart = _with_copies(apart, each)
    held = plan_waiting(apart).held
    for name, each in copies.items():
        taken = [held[copy.inputs[0], copy.name, 0] for copy, _ in each]
        middle = (min(taken) + max(taken)) / 2
        late = [readers[0] for (_, readers), frames in zip(each, taken, strict=True) if frames > middle]
        if not late:  # all at the same time
            continue
        again = _with_copies(graph, [(_copy(graph.node(name), LATE), late)])
        if plan_waiting(graph).bits - plan_waiting(again).bits >= LEAST_SAVING:
            graph = again
    return graph


_Reader = tuple[str, int]
#: what the name of a copy ends with
LATE = ".late"


def _may(graph: HwGraph, node: HwNode) -> bool:
    """One stream in, no wider than the one out, at once, and several consumers; the last operator stays alone."""
    op = node.op
    if op.is_glue or any(op.lags) or len(op.inputs) != 1 or len(op.outputs) != 1 or node.outputs[0] == graph.output:
        return False
    (taken,), (given,) = op.inputs, op.outputs
    no_wider = (taken.tokens, taken.channels) == (given.tokens, given.channels) and taken.bits <= given.bits
    return no_wider and len(graph.consumers().get(node.outputs[0], [])) > 1


def _for_each_reader(graph: HwGraph, node: HwNode) -> list[tuple[HwNode, list[_Reader]]]:
    readers = [(reader.name, port) for reader, port in graph.consumers()[node.outputs[0]]]
    return [(_copy(node, f".for{i}"), [reader]) for i, reader in enumerate(readers)]


def _copy(node: HwNode, suffix: str) -> HwNode:
    return replace(node, name=f"{node.name}{suffix}", outputs=tuple(f"{t}{suffix}" for t in node.outputs))


def _with_copies(graph: HwGraph, copies: Sequence[tuple[HwNode, Sequence[_Reader]]]) -> HwGraph:
    """The graph with each copy, put behind what it copies, in front of its readers."""
    tensors = {reader: copy.outputs[0] for copy, readers in copies for reader in readers}
    behind: dict[str, list[HwNode]] = {}
    for copy, _ in copies:
        behind.setdefault(copy.name.rpartition(".")[0], []).append(copy)
    nodes = []
    for node in graph.nodes:
        inputs = tuple(tensors.get((node.name, port), tensor) for port, tensor in enumerate(node.inputs))
        nodes += [replace(node, inputs=inputs), *behind.get(node.name, [])]
    return replace(graph, nodes=tuple(nodes))
