"""The step `hls` of a build that asks for HLS operators: cppsim of the graph, projects, Vitis HLS where it is."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from bvit_hw.codegen.names import identifiers
from bvit_hw.errors import LoweringError
from bvit_hw.flows import vitis_hls
from bvit_hw.flows.cache import any_cached
from bvit_hw.flows.hls_graph import run_graph
from bvit_hw.flows.plain import vendor_folder
from bvit_hw.graph.implementation import choose_implementations
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions

#: frames in the test bench of a project
_VECTORS = 2


def wants_hls(options: BuildOptions) -> bool:
    """Whether the build asks for an operator in HLS."""
    return options.impl == "hls" or "hls" in dict(options.impl_of).values()


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Run test images through the graph with the chosen operators as compiled templates; write their projects.

    Where Vitis HLS is on the PATH every project is run (C simulation, synthesis, co-simulation, IP); where not, the
    result says so.
    """
    options, graph = build.options, build.folded
    chosen = choose_implementations(graph, options.impl, dict(options.impl_of))
    images = build.images.images[: options.simulated_images]
    ran = run_graph(graph, images, chosen, jobs=options.jobs, vectors=_VECTORS, progress=context.progress)
    if not np.array_equal(ran.outputs, build.frozen_logits(images)):
        raise LoweringError("hls: logits of the graph with compiled HLS templates differ from the frozen model's")
    vitis_hls.copy_headers(context.folder)
    folders: dict[str, Path] = {}
    for name, top in identifiers(list(ran.units), "").items():
        folders[name] = context.folder / top
        vitis_hls.write_project(
            folders[name],
            ran.units[name],
            top,
            ran.vectors[name],
            part=options.board.part,
            period_ns=1000 / options.clock_mhz,
        )
    reports = _synthesize(context.folder, folders, options.jobs) if vitis_hls.vitis_command() else {}
    write_json(context.folder / "reports.json", reports)
    missing = "not run: neither vitis-run nor vitis_hls on the PATH"
    made = f"{len(reports)} made and co-simulated" if reports else missing
    return {
        "operators": {name: unit.op.op_type for name, unit in ran.units.items()},
        "images": len(images),
        "values_compared": ran.compared,
        "logits_equal_to_frozen": True,
        "vitis_hls": made,
        "reports": reports,
        "note": (
            f"{len(ran.units)} operators as compiled C++ templates inside the graph: logits equal to frozen on "
            f"{len(images)} images. RTL from Vitis HLS: {made}. The simulated, estimated and packaged accelerator has "
            "these operators' SystemVerilog flavour; the step package writes their Vitis HLS projects into package/hls"
        ),
    }


def _synthesize(folder: Path, folders: Mapping[str, Path], jobs: int) -> dict[str, Any]:
    with vendor_folder(folder) as place, ThreadPoolExecutor(jobs) as pool:
        reports = list(pool.map(vitis_hls.run_project, [place / path.name for path in folders.values()]))
    return {name: asdict(report) for name, report in zip(folders, reports, strict=True)}


STEP = BuildStep(
    name="hls",
    title="hls: operators as compiled templates",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold"),
    inputs=lambda options: {
        "impl": options.impl,
        "impl_of": options.impl_of,
        "images": options.simulated_images,
    },
    code=("codegen", "flows"),
    data=("hls",),
    needs=lambda options: () if any_cached("csim") else ("g++",),
    may_need=lambda options: ("g++",),
    wanted=wants_hls,
)
