"""How long chains of ready take: those of operators in a row whose ready follows the next one's within a cycle.

A chain begins at a register, goes through operators against the streams' direction, and ends at the registers that the
last of them enables. What that takes is estimated from the target's delays and the operators' registers, before there
is a netlist: so the passes over the graph can end a chain that is too long for the clock. The step `timing` estimates
again, of the netlists (docs/timing.md).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from functools import cache

from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.stream_register import StreamRegister
from bvit_hw.targets.delays import Delays

#: what the register that ends a chain is called behind the stream that goes through it
ENDED = ".step"
#: units in a row without a FIFO between them, of a target whose delays are not known
MAX_CHAIN = 5
#: the part of the clock's period that chains may take by this estimate; the netlists' is up to so much longer
SHARE = 0.95
#: inputs at the end of a wire that enables nothing
_SINKS = 3


class ReadyTimes:
    """Estimates for the chains of ``graph``, seen as if the FIFOs ``without`` were wires.

    ``clock_mhz`` is the clock that they are compared with; where the target knows no delays, units are counted.
    """

    def __init__(self, graph: HwGraph, clock_mhz: float, without: Collection[str] = ()) -> None:
        self._producers, self._consumers = graph.producers(), graph.consumers()
        self._delays = graph.target.delays
        self._without = without
        #: the most that a chain may take
        self.limit = float(MAX_CHAIN) if self._delays is None else SHARE * 1e3 / clock_mhz

    def sinks(self, node: HwNode) -> Iterator[tuple[str, HwNode]]:
        """Streams that ``node`` sends, each with the unit that takes it."""
        for tensor in node.outputs:
            for sink, _ in self._consumers.get(tensor, []):
                if sink.name in self._without:
                    yield from self.sinks(sink)
                else:
                    yield tensor, sink

    def sources(self, node: HwNode) -> Iterator[HwNode]:
        """Units that send to ``node``."""
        for tensor in node.inputs:
            source = self._producers.get(tensor, (None, 0))[0]
            if source is not None and source.name in self._without:
                yield from self.sources(source)
            elif source is not None:
                yield source

    def ready(self, node: HwNode) -> float:
        """When the readies of the unit's inputs are there at the latest."""
        first = 0.0 if self._delays is None else self._delays.register
        return (self.arrival(node) if node.op.ready_passes else first) + _passing(node.op, self._delays)

    def arrival(self, node: HwNode) -> float:
        """When the readies of the unit's outputs are there at the latest, or a register of its own."""
        first = 0.0 if self._delays is None else self._delays.register
        return max((self.ready(sink) for _, sink in self.sinks(node)), default=first)

    def in_time(self, node: HwNode) -> bool:
        """Whether the chains that end at the unit's own registers are short enough."""
        return self.arrival(node) + _end(node.op, self._delays) <= self.limit

    def longest(self, node: HwNode, arrival: float) -> float:
        """The longest of the chains that come to ``node``'s outputs at ``arrival``, and end there or before it."""
        found = arrival + _end(node.op, self._delays)
        if node.op.ready_passes:
            passed = arrival + _passing(node.op, self._delays)
            found = max([found, *(self.longest(source, passed) for source in self.sources(node))])
        return found

    def chain(self, node: HwNode) -> list[tuple[str, HwNode]]:
        """The latest of the chains that come to the unit's outputs: streams with their takers, the nearest first."""
        found: list[tuple[str, HwNode]] = []
        while links := list(self.sinks(node)):
            tensor, node = max(links, key=lambda link: self.ready(link[1]))
            found.append((tensor, node))
            if not node.op.ready_passes:
                break
        return found


def _passing(op: HwOp, delays: Delays | None) -> float:
    """What the way to a unit's ready takes, from its outputs' readies or from registers."""
    if delays is None:
        return float(op.ready_passes)
    late = delays.wire_ns(_registers(op)) - delays.wire_ns(_SINKS) if op.ready_tables > 1 else 0.0
    return op.ready_tables * (delays.wire_ns(_SINKS) + delays.lut) + max(late, 0.0)


@cache
def _registers(op: HwOp) -> float:
    return op.resources().ff


def _end(op: HwOp, delays: Delays | None) -> float:
    """From a ready at a unit's output to the registers that it enables, some of them through more tables.

    A FIFO may come to lie in block RAM, whose read address is that far.
    """
    if delays is None:
        return 1.0
    tables = 3 if op.ready_tables < 3 else op.ready_tables + 2
    if op.is_glue and not op.fifo_depth:
        tables = 1
    return tables * (delays.wire_ns(2) + delays.lut) + delays.wire_ns(_registers(op)) + delays.enable


def end_long_chains(graph: HwGraph, clock_mhz: float) -> HwGraph:
    """The stitched graph with registers that end chains of ready which take too long for the clock.

    A chain is looked at from its beginning; where it gets too long the register goes onto the narrowest stream from
    which on the rest is short enough. Nothing changes where the target knows no delays: FIFOs are then kept by count
    alone.
    """
    if graph.target.delays is None:
        return graph
    for name in [node.name for node in reversed(graph.nodes)]:
        while (better := _shorter(graph, name, clock_mhz)) is not None:
            graph = better
    return graph


def _shorter(graph: HwGraph, name: str, clock_mhz: float) -> HwGraph | None:
    """The graph with one register more, for the chain that comes to a unit; None where that is in time, or stays late.

    A register right behind the unit helps most: what is late then is the unit's own, or comes by another stream.
    """
    times, node = ReadyTimes(graph, clock_mhz), graph.node(name)
    if times.in_time(node):
        return None
    chain = times.chain(node)
    tensors = [
        tensor for (tensor, sink), before in zip(chain, [node, *(sink for _, sink in chain)], strict=False)
        if not (sink.op.is_die_border or sink.op.fifo_depth or before.op.is_die_border)
    ]  # fmt: skip
    tries = [(tensor, _with_register(graph, tensor)) for tensor in tensors]
    enough = [
        (tensor, made) for tensor, made in tries
        if all(map(ReadyTimes(made, clock_mhz).in_time, (made.node(name), made.node(f"{tensor}{ENDED}"))))
    ]  # fmt: skip
    if enough:
        return min(enough, key=lambda found: _width(graph, found[0]))[1]
    return tries[0][1] if tries else None


def _width(graph: HwGraph, tensor: str) -> int:
    source, port = graph.producers()[tensor]
    return source.op.outputs[port].width


def _with_register(graph: HwGraph, tensor: str) -> HwGraph:
    """``graph`` with a register for the stream ``tensor``, right before its consumer."""
    source, port = graph.producers()[tensor]
    stream = source.op.outputs[port]
    nodes = []
    for node in graph.nodes:
        if tensor in node.inputs:
            register = StreamRegister.of(stream, pe=stream.lanes, target=graph.target)
            name = f"{tensor}{ENDED}"
            nodes.append(HwNode(name=name, op=register, inputs=(tensor,), outputs=(name,)))
            node = replace(node, inputs=tuple(name if each == tensor else each for each in node.inputs))
        nodes.append(node)
    return replace(graph, nodes=tuple(nodes))
