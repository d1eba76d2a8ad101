"""Pass: a FIFO on every stream between two operators."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from bvit_hw.errors import LoweringError
from bvit_hw.graph.edges import insert_on_edges
from bvit_hw.graph.glue import fifo_op
from bvit_hw.graph.hw_graph import Edge, HwGraph, HwNode
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.ops.base import Intake


def fifo_name(tensor: str) -> str:
    """What the FIFO that ``tensor`` enters is called."""
    return f"{tensor}.fifo"


def insert_fifos(graph: HwGraph) -> HwGraph:
    """The graph with a FIFO on every stream, also at its input and output; the one on ``x`` writes ``x.fifo``.

    They are 2 beats deep until they are sized. An operator whose input flows follows its producer at once and has no
    FIFO before it, unless it has to wait there: the one behind it serves both. One that splits its beats takes them
    slowly and has none behind it.
    """
    held = plan_waiting(graph).held

    def buffer(edge: Edge) -> HwNode | None:
        source, sink = edge.source.op if edge.source else None, edge.sink.op if edge.sink else None
        if any(op is not None and op.fifo_depth for op in (source, sink)):
            return None
        waits = edge.sink is not None and held[edge.tensor, edge.sink.name, edge.sink_port] > 0
        if sink is not None and sink.intake is Intake.FLOWS and not waits:
            return None
        if source is not None and source.intake is Intake.SPLITS:
            return None
        name = fifo_name(edge.tensor)
        return HwNode(
            name=name,
            op=fifo_op(edge.source_stream, 2, target=graph.target),
            inputs=(edge.tensor,),
            outputs=(name,),
        )

    return insert_on_edges(graph, buffer)


def with_depths(graph: HwGraph, depths: Mapping[str, int]) -> HwGraph:
    """The graph with the named FIFOs set to these depths (in beats), all in LUT RAM; depth 0 takes a FIFO away."""
    ops = {}
    renamed: dict[str, str] = {}
    for node in graph.fifos:
        if node.name not in depths:
            continue
        if depths[node.name]:
            ops[node.name] = fifo_op(node.op.inputs[0], depths[node.name], target=graph.target)
        else:
            renamed[node.outputs[0]] = node.inputs[0]
    if graph.output in renamed:
        raise LoweringError(f"graph {graph.name}: the FIFO at its output cannot be taken away")
    nodes = tuple(
        replace(node, inputs=tuple(renamed.get(tensor, tensor) for tensor in node.inputs))
        for node in graph.nodes
        if not (node.op.fifo_depth and node.outputs[0] in renamed)
    )
    return replace(graph, nodes=nodes).with_ops(ops)
