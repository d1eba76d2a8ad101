"""Pass: a width converter on every stream whose two ends have different numbers of lanes."""

from __future__ import annotations

from dataclasses import replace

from bvit_hw.errors import LoweringError
from bvit_hw.graph.edges import insert_on_edges
from bvit_hw.graph.glue import converter_op
from bvit_hw.graph.hw_graph import Edge, HwGraph, HwNode
from bvit_hw.ops.base import Stream


def insert_width_converters(
    graph: HwGraph, *, input_lanes: int | None = None, output_lanes: int | None = None
) -> HwGraph:
    """The graph with equal lanes at both ends of every stream; what converts ``x`` writes ``x.width``.

    ``input_lanes`` and ``output_lanes`` are those outside the accelerator (None: as its first and last operator have
    them). Raises LoweringError where a frame is no whole number of the border's beats.
    """

    def convert(edge: Edge) -> HwNode | None:
        lanes_in = edge.source_stream.lanes if edge.source else input_lanes or edge.sink_stream.lanes
        lanes_out = edge.sink_stream.lanes if edge.sink else output_lanes or edge.source_stream.lanes
        if lanes_in == lanes_out:
            return None
        stream = edge.source_stream
        if stream.channels % lanes_in or stream.channels % lanes_out:
            # Tokens do not matter to the conversion: the frame as one token.
            values = stream.tokens * stream.channels
            if values % lanes_in or values % lanes_out:
                raise LoweringError(
                    f"{edge.label}: {values} values a frame are no whole number of beats of {lanes_in} and {lanes_out}"
                )
            stream = replace(stream, tokens=1, channels=values)
        source = Stream(
            tokens=stream.tokens, channels=stream.channels, lanes=lanes_in, bits=stream.bits, signed=stream.signed
        )
        return HwNode(
            name=f"{edge.tensor}.width",
            op=converter_op(source, lanes_out, target=graph.target),
            inputs=(edge.tensor,),
            outputs=(f"{edge.tensor}.width",),
        )

    return insert_on_edges(graph, convert)
