"""The hardware graph: operators, their parameters, and the named streams between them.

It is what folding, code generation and simulation work on. :mod:`bvit_hw.graph.file` keeps it on disk.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from bvit_hw.errors import LoweringError
from bvit_hw.ops.base import HwOp, IntArray, Params, Resources, Stream
from bvit_hw.targets import Target


@dataclass(frozen=True, kw_only=True)
class HwNode:
    """One operator instance: named, with the tensors that it reads and writes, one for each stream, in order."""

    name: str
    op: HwOp
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    params: Params = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Edge:
    """A stream from one operator's output to another one's input; ``None`` stands for the accelerator's border."""

    tensor: str
    source: HwNode | None
    source_port: int
    sink: HwNode | None
    sink_port: int

    @property
    def source_stream(self) -> Stream:
        """The stream as its producer sends it (for the accelerator's input: as its consumer takes it)."""
        return self.source.op.outputs[self.source_port] if self.source else self.sink_stream

    @property
    def sink_stream(self) -> Stream:
        """The stream as its consumer takes it (for the accelerator's output: as its producer sends it)."""
        return self.sink.op.inputs[self.sink_port] if self.sink else self.source_stream

    @property
    def label(self) -> str:
        """Producer, tensor and consumer, for messages."""
        return (
            f"{self.source.name if self.source else 'input'} -> {self.sink.name if self.sink else 'output'} "
            f"({self.tensor})"
        )


@dataclass(frozen=True, kw_only=True)
class HwGraph:
    """Operators in execution order, one accelerator input, one output.

    ``pixel_bytes`` are those of a beat at the input at most, as the host's side has them.
    """

    name: str
    nodes: tuple[HwNode, ...]
    input: str
    output: str
    pixel_bytes: int = 8

    def node(self, name: str) -> HwNode:
        """The operator called ``name``."""
        for node in self.nodes:
            if node.name == name:
                return node
        raise LoweringError(f"graph {self.name}: no operator is called {name!r}")

    def producers(self) -> dict[str, tuple[HwNode, int]]:
        """Tensor -> the operator and port that write it."""
        return {t: (node, port) for node in self.nodes for port, t in enumerate(node.outputs)}

    def consumers(self) -> dict[str, list[tuple[HwNode, int]]]:
        """Tensor -> the operators and ports that read it, in execution order."""
        found: dict[str, list[tuple[HwNode, int]]] = {}
        for node in self.nodes:
            for port, tensor in enumerate(node.inputs):
                found.setdefault(tensor, []).append((node, port))
        return found

    def edges(self) -> list[Edge]:
        """Every stream, the accelerator's input first, then in execution order of the producers."""
        producers, consumers = self.producers(), self.consumers()
        edges: list[Edge] = []
        for tensor in dict.fromkeys([self.input, *producers]):
            source, source_port = producers.get(tensor, (None, 0))
            for sink, port in consumers.get(tensor, []):
                edges.append(Edge(tensor=tensor, source=source, source_port=source_port, sink=sink, sink_port=port))
            if tensor == self.output:
                edges.append(Edge(tensor=tensor, source=source, source_port=source_port, sink=None, sink_port=0))
        return edges

    @property
    def fifos(self) -> tuple[HwNode, ...]:
        """The FIFOs, in execution order."""
        return tuple(node for node in self.nodes if node.op.fifo_depth)

    @property
    def target(self) -> Target:
        """The FPGAs that its operators are built for."""
        return self.nodes[0].op.target

    def on(self, target: Target) -> HwGraph:
        """The same graph built for another target, of its own cells where the RTL has a variant of them."""
        return self.with_ops({node.name: node.op.on(target) for node in self.nodes})

    @property
    def cycles(self) -> int:
        """Cycles a frame in steady state: those of the slowest operator."""
        return max(node.op.cycles for node in self.nodes)

    @property
    def bottleneck(self) -> HwNode:
        """The slowest operator (the first one of several)."""
        return max(self.nodes, key=lambda node: node.op.cycles)

    def resources(self) -> Resources:
        """Predicted cost of all operators together."""
        return sum((node.op.resources() for node in self.nodes), Resources())

    def with_ops(self, ops: Mapping[str, HwOp]) -> HwGraph:
        """The same graph with the named nodes' operators exchanged."""
        return replace(self, nodes=tuple(replace(n, op=ops[n.name]) if n.name in ops else n for n in self.nodes))

    def check(self, *, stitched: bool = False) -> None:
        """Raise LoweringError unless the graph is sound.

        Every tensor is written once, before it is read; what a stream's producer sends has the consumer's number of
        values, width and sign; parameters fit. With ``stitched`` every stream has exactly one consumer of the same
        number of lanes, as code generation needs it.
        """
        names = [node.name for node in self.nodes]
        if len(set(names)) != len(names):
            raise LoweringError(f"graph {self.name}: operators' names are not unique")
        written = {self.input}
        for node in self.nodes:
            if len(node.inputs) != len(node.op.inputs) or len(node.outputs) != len(node.op.outputs):
                raise LoweringError(
                    f"{node.name}: {node.op.op_type} has {len(node.op.inputs)} inputs and {len(node.op.outputs)} "
                    f"outputs, connected are {len(node.inputs)} and {len(node.outputs)}"
                )
            node.op.check_params(node.params)
            for tensor in node.inputs:
                if tensor not in written:
                    raise LoweringError(f"{node.name}: reads {tensor!r}, which nothing before it writes")
            for tensor in node.outputs:
                if tensor in written:
                    raise LoweringError(f"{node.name}: writes {tensor!r}, which is written before")
                written.add(tensor)
        if self.output not in written:
            raise LoweringError(f"graph {self.name}: nothing writes the output {self.output!r}")
        edges = self.edges()
        for edge in edges:
            a, b = edge.source_stream, edge.sink_stream
            if (a.tokens * a.channels, a.bits, a.signed) != (b.tokens * b.channels, b.bits, b.signed):
                raise LoweringError(f"{edge.label}: sends {a}, but takes {b}")
            if stitched and a.lanes != b.lanes:
                raise LoweringError(f"{edge.label}: sends {a.lanes} lanes, but takes {b.lanes}")
        if stitched:
            tensors = [edge.tensor for edge in edges]
            for tensor in written:
                if tensors.count(tensor) != 1:
                    raise LoweringError(f"stream {tensor!r} has {tensors.count(tensor)} consumers, must have one")

    def execute(self, frame: np.ndarray) -> dict[str, IntArray]:
        """All tensors for one input frame, by the operators' golden functions; tokens x channels each."""
        context: dict[str, IntArray] = {self.input: np.asarray(frame, dtype=np.int64)}
        for node in self.nodes:
            frames = [
                context[tensor].reshape(stream.tokens, stream.channels)
                for tensor, stream in zip(node.inputs, node.op.inputs, strict=True)
            ]
            context.update(zip(node.outputs, node.op.golden(node.params, *frames), strict=True))
        return context
