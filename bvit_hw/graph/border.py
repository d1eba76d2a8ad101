"""The accelerator's border as its network makes it: beats of its two streams, the frame guard's depth, the cost."""

from __future__ import annotations

from dataclasses import dataclass
from math import gcd

from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import Resources
from bvit_hw.ops.shell import guard_depths, guard_resources, logits_out_resources, registers_resources
from bvit_hw.targets import Target

#: logits in a beat
OUTPUT_LANES = 1
#: part of the block RAM budget that room for a second frame in the frame guard may cost
SECOND_FRAME_SHARE = 1 / 32


def values_of(graph: HwGraph, tensor: str) -> int:
    """Values a frame of the graph's input or output tensor."""
    streams = [e.sink_stream if e.source is None else e.source_stream for e in graph.edges() if e.tensor == tensor]
    return streams[0].tokens * streams[0].channels


def input_lanes(graph: HwGraph) -> int:
    """Bytes of pixels in a beat: the graph's ``pixel_bytes``, or fewer where a frame is no whole number of those."""
    return gcd(values_of(graph, graph.input), graph.pixel_bytes)


@dataclass(frozen=True, kw_only=True)
class Border:
    """What is around the core: ``guard_depth`` beats of ``input_lanes`` bytes, frames of ``frame_bytes``."""

    input_lanes: int
    frame_bytes: int
    guard_depth: int
    classes: int
    logit_bits: int
    target: Target

    @property
    def input_bits(self) -> int:
        """Width of the pixels' stream."""
        return 8 * self.input_lanes

    @property
    def resources(self) -> Resources:
        """Of frame guard, logits' end and registers, predicted."""
        guard = guard_resources(self.frame_bytes, self.guard_depth, self.input_bits, self.target)
        logits = logits_out_resources(self.logit_bits, self.classes, self.target)
        return guard + logits + registers_resources(self.target)


def border_of(graph: HwGraph, bram18: float) -> Border:
    """The border of ``graph`` on an FPGA whose accelerator may take ``bram18`` halves of block RAM.

    The frame guard holds two frames, with which a source in bursts never waits, where the second one costs little of
    the block RAM; else one frame and a few beats, enough for a steady source to go on at full rate. That follows from
    the frame and the budget alone, so that folding, code generation and report agree.
    """
    lanes, frame_bytes = input_lanes(graph), values_of(graph, graph.input)
    least, two_frames = guard_depths(frame_bytes, 8 * lanes)
    one, two = (guard_resources(frame_bytes, depth, 8 * lanes, graph.target).bram18 for depth in (least, two_frames))
    node, port = graph.producers()[graph.output]
    return Border(
        input_lanes=lanes,
        frame_bytes=frame_bytes,
        guard_depth=two_frames if two - one <= SECOND_FRAME_SHARE * bram18 else least,
        classes=values_of(graph, graph.output),
        logit_bits=node.op.outputs[port].bits,
        target=graph.target,
    )
