"""Which FIFOs a sized graph can do without: those that never hold more than the beat that passes through."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.ready_chains import ReadyTimes


def removable_fifos(graph: HwGraph, occupancy: Mapping[str, int], clock_mhz: float) -> list[str]:
    """Names of FIFOs that never held more than one beat, the widest first as far as chains of ready stay short.

    A FIFO that holds one beat at most hands it on in the cycle after it came: without the FIFO it would be taken in the
    cycle in which it comes. Those at the graph's border stay. ``occupancy`` is the most beats ever held, by name;
    how long a chain may be follows from ``clock_mhz`` and the target (:mod:`bvit_hw.graph.ready_chains`).
    """
    producers, consumers = graph.producers(), graph.consumers()
    removed: set[str] = set()
    times = ReadyTimes(graph, clock_mhz, without=removed)
    fifos = [node for node in graph.fifos if occupancy.get(node.name, 2) <= 1]
    for fifo in sorted(fifos, key=lambda node: (-node.op.inputs[0].width, node.name)):
        source = producers.get(fifo.inputs[0], (None, 0))[0]
        sinks = consumers.get(fifo.outputs[0], [])
        if source is None or len(sinks) != 1 or fifo.outputs[0] == graph.output:
            continue
        removed.add(fifo.name)
        if times.longest(source, times.arrival(source)) > times.limit:
            removed.remove(fifo.name)
    return sorted(removed)
