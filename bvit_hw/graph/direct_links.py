"""Which FIFOs a sized graph can do without: those that never hold more than the beat that passes through."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.graph.hw_graph import HwGraph, HwNode

#: units in a row without a FIFO between them; their ready signals form one combinational path
MAX_CHAIN = 5


def removable_fifos(graph: HwGraph, occupancy: Mapping[str, int]) -> list[str]:
    """Names of FIFOs that never held more than one beat, the widest first as far as chains stay short.

    A FIFO that holds one beat at most hands it on in the cycle after it came: without the FIFO it would be taken in the
    cycle in which it comes. Those at the graph's border stay. ``occupancy`` is the most beats ever held, by name.
    """
    producers, consumers = graph.producers(), graph.consumers()
    removed: set[str] = set()

    def before(node: HwNode) -> list[HwNode]:
        found: list[HwNode] = []
        for tensor in node.inputs:
            source = producers.get(tensor, (None, 0))[0]
            if source is not None and source.name in removed:
                source = producers.get(source.inputs[0], (None, 0))[0]
            if source is not None and not source.op.fifo_depth:
                found.append(source)
        return found

    def after(node: HwNode) -> list[HwNode]:
        found: list[HwNode] = []
        for tensor in node.outputs:
            for sink, _ in consumers.get(tensor, []):
                if sink.name in removed:
                    found.extend(reader for reader, _ in consumers.get(sink.outputs[0], []))
                elif not sink.op.fifo_depth:
                    found.append(sink)
        return found

    def run_before(node: HwNode) -> int:
        return 1 + max((run_before(source) for source in before(node)), default=0)

    def run_after(node: HwNode) -> int:
        return 1 + max((run_after(sink) for sink in after(node)), default=0)

    fifos = [node for node in graph.fifos if occupancy.get(node.name, 2) <= 1]
    for fifo in sorted(fifos, key=lambda node: (-node.op.inputs[0].width, node.name)):
        source = producers.get(fifo.inputs[0], (None, 0))[0]
        sinks = consumers.get(fifo.outputs[0], [])
        if source is None or len(sinks) != 1 or fifo.outputs[0] == graph.output:
            continue
        if run_before(source) + run_after(sinks[0][0]) <= MAX_CHAIN:
            removed.add(fifo.name)
    return sorted(removed)
