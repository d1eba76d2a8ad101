"""The step `synthesize`: what the accelerator takes of the FPGA, counted by Yosys."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.flows.border_jobs import border_jobs
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Count LUTs, flip-flops, block RAMs and DSPs of every operator with Yosys."""
    jobs = [job_of(node.name, node.op, node.params) for node in build.stitched.nodes]
    jobs += border_jobs(build.border, str(context.results["freeze"]["model_hash"]))
    counts = synthesize(
        jobs,
        target=build.options.board.target,
        work=context.folder / "yosys",
        processes=build.options.jobs,
        progress=context.progress,
    )
    shutil.rmtree(context.folder / "yosys", ignore_errors=True)
    total = sum(counts.values(), Resources())
    predicted = build.stitched.resources() + build.border.resources
    write_json(context.folder / "resources.json", {name: asdict(r) for name, r in counts.items()})
    return {"total": asdict(total), "predicted": asdict(predicted)}


STEP = BuildStep(
    name="synthesize",
    title="synthesize: Yosys estimate",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold", "generate"),
    needs=lambda options: ("pyosys",),
)
