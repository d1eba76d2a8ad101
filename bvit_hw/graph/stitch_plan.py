"""From folded operators to a graph that can be stitched: forks, width converters, FIFOs of estimated depths."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np

from bvit_hw.graph.border import OUTPUT_LANES, border_of, input_lanes
from bvit_hw.graph.glue import depth_for
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.insert_duplicates import insert_duplicates
from bvit_hw.graph.insert_fifos import insert_fifos, with_depths
from bvit_hw.graph.insert_width_converters import insert_width_converters
from bvit_hw.graph.passes import GraphPass, run_passes
from bvit_hw.graph.place_fifos import place_fifos
from bvit_hw.graph.ready_chains import end_long_chains
from bvit_hw.graph.waiting import plan_waiting
from bvit_hw.ops.base import Intake, Resources


def add_glue(graph: HwGraph, image: np.ndarray | None = None, clock_mhz: float | None = None) -> HwGraph:
    """The graph with all glue, FIFOs two deep, and the accelerator's own lanes at its border.

    With ``image`` (uint8, H x W x C) every tensor is compared after every pass. With ``clock_mhz`` chains of ready are
    short enough for that clock.
    """
    converters = partial(insert_width_converters, input_lanes=input_lanes(graph), output_lanes=OUTPUT_LANES)
    passes: list[GraphPass] = [insert_duplicates, converters, insert_fifos]
    if clock_mhz is not None:
        passes.append(partial(end_long_chains, clock_mhz=clock_mhz))
    return run_passes(graph, passes, image)


def estimated_depths(graph: HwGraph) -> dict[str, int]:
    """Depth of each FIFO of a graph with glue, from the operators' lags alone."""
    held = plan_waiting(graph).held
    return {
        node.name: depth_for(node.op.inputs[0], held[node.inputs[0], node.name, 0])
        for node in graph.fifos
    }


def expected_direct(graph: HwGraph, depths: Mapping[str, int]) -> list[str]:
    """FIFOs that sizing is expected to take away: before an operator that stores its next input itself."""
    consumers = graph.consumers()
    return [
        name
        for name, depth in depths.items()
        if depth == 2 and any(sink.op.intake is Intake.STORES for sink, _ in consumers.get(name, []))
    ]


def planned(graph: HwGraph, *limits: Resources) -> HwGraph:
    """The graph with all glue and estimated depths, deep FIFOs in RAM blocks as far as those go.

    ``limits`` are what the accelerator may take on each die, its border included: of block RAM and of UltraRAM, nothing
    else counts.
    """
    stitched = add_glue(graph)
    depths = estimated_depths(stitched)
    depths |= dict.fromkeys(expected_direct(stitched, depths), 0)
    border = border_of(graph, sum(limit.bram18 for limit in limits)).resources
    return place_fifos(with_depths(stitched, depths), limits[0] - border, *limits[1:])
