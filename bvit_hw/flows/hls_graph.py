"""A hardware graph executed with chosen operators in their HLS flavour: compiled templates, many frames at once."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from bvit_hw.codegen.hls import HlsUnit, hls_unit
from bvit_hw.errors import LoweringError
from bvit_hw.flows.gxx import CSim, Toolchain, build_csim
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import IntArray

#: instances in one program: fewer take the headers more often, more leave processors idle
_UNITS_PER_PROGRAM = 12


@dataclass(frozen=True, kw_only=True)
class HlsGraphRun:
    """Outputs of the graph (frames x values), units by node name, and the values compared with golden functions."""

    outputs: IntArray
    units: Mapping[str, HlsUnit]
    compared: int
    #: the streams into each unit's first frames, for test benches
    vectors: Mapping[str, list[tuple[np.ndarray, ...]]]


def compile_units(units: Sequence[HlsUnit], jobs: int, toolchain: Toolchain | None = None) -> dict[object, CSim]:
    """Programs for all units, by the units' keys."""
    distinct = list({unit.key: unit for unit in units}.values())
    # By template, so that a program takes the headers of one only.
    distinct.sort(key=lambda unit: unit.function)
    parts = [distinct[i : i + _UNITS_PER_PROGRAM] for i in range(0, len(distinct), _UNITS_PER_PROGRAM)]
    with ThreadPoolExecutor(jobs) as pool:
        programs = list(pool.map(lambda part: build_csim(part, toolchain), parts))
    return {unit.key: program for program in programs for unit in program.units}


def run_graph(
    graph: HwGraph,
    images: np.ndarray,
    chosen: Mapping[str, str],
    *,
    jobs: int = 2,
    vectors: int = 0,
    toolchain: Toolchain | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> HlsGraphRun:
    """All ``images`` through the graph; where ``chosen`` says ``hls`` the compiled template computes, else golden.

    What a template gives is compared with the golden function frame by frame: LoweringError, naming the operator, at
    the first difference. ``vectors`` input frames of each template are kept.
    """
    units = {node.name: hls_unit(node.op, node.params) for node in graph.nodes if chosen.get(node.name) == "hls"}
    programs = compile_units(list(units.values()), jobs, toolchain)
    context: dict[str, list[IntArray]] = {graph.input: [np.asarray(image, dtype=np.int64) for image in images]}
    kept: dict[str, list[tuple[np.ndarray, ...]]] = {}
    compared = 0
    for done, node in enumerate(graph.nodes):
        frames = [
            tuple(
                context[tensor][n].reshape(stream.tokens, stream.channels)
                for tensor, stream in zip(node.inputs, node.op.inputs, strict=True)
            )
            for n in range(len(images))
        ]
        golden = [node.op.golden(node.params, *frame) for frame in frames]
        if node.name in units:
            unit = units[node.name]
            found = programs[unit.key].run(unit, frames)
            for number, (outputs, wanted) in enumerate(zip(found, golden, strict=True)):
                for tensor, values, right in zip(node.outputs, outputs, wanted, strict=True):
                    if not np.array_equal(values, right):
                        raise LoweringError(
                            f"{node.name}: its HLS template ({unit.function}) gives other values for {tensor} than the "
                            f"golden function in {np.sum(values != right)} of {right.size} places of image {number}"
                        )
                    compared += right.size
            kept[node.name] = frames[:vectors]
            golden = found
        for port, tensor in enumerate(node.outputs):
            context[tensor] = [given[port] for given in golden]
        if progress is not None:
            progress(done + 1, len(graph.nodes))
    results = np.stack([frame.reshape(-1) for frame in context[graph.output]])
    return HlsGraphRun(outputs=results, units=units, compared=compared, vectors=kept)
