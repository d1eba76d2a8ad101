"""Pass: a FIFO on every stream between two operators."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.lower.edges import insert_on_edges
from bvit_hw.lower.glue import fifo_op
from bvit_hw.lower.graph import Edge, HwGraph, HwNode


def fifo_name(tensor: str) -> str:
    """What the FIFO that ``tensor`` enters is called."""
    return f"{tensor}.fifo"


def insert_fifos(graph: HwGraph, depths: Mapping[str, int] | None = None) -> tuple[HwGraph, bool]:
    """The graph with a FIFO on every stream, also at its input and output; the one on ``x`` writes ``x.fifo``.

    ``depths`` are in beats, by the FIFO's name; 2 where there is none. A Duplicate follows its producer at once:
    the FIFOs behind it serve both.
    """

    def buffer(edge: Edge) -> HwNode | None:
        ends = {end.op.op_type for end in (edge.source, edge.sink) if end}
        if "Fifo" in ends or (edge.sink and edge.sink.op.op_type == "Duplicate"):
            return None
        name = fifo_name(edge.tensor)
        return HwNode(
            name=name,
            op=fifo_op(edge.source_stream, (depths or {}).get(name, 2)),
            inputs=(edge.tensor,),
            outputs=(name,),
        )

    return insert_on_edges(graph, buffer)


def with_depths(graph: HwGraph, depths: Mapping[str, int]) -> HwGraph:
    """The graph with the named FIFOs set to these depths (in beats)."""
    ops = {}
    for node in graph.nodes:
        if node.op.op_type == "Fifo" and node.name in depths:
            ops[node.name] = fifo_op(node.op.inputs[0], depths[node.name])
    return graph.with_ops(ops)
