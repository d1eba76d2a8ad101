"""The step `synthesize`: what the accelerator takes of the FPGA, counted by Yosys."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.flows.border_jobs import border_jobs
from bvit_hw.flows.parts_sim import is_large
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Count LUTs, flip-flops, block RAMs and DSPs of every operator with Yosys.

    Of a large core operators of equal shape are counted once, with the contents of the first of them.
    """
    nodes = build.stitched.nodes
    once = is_large(build.stitched)
    first: dict[HwOp, str] = {}
    counted_as = {node.name: first.setdefault(node.op, node.name) if once else node.name for node in nodes}
    jobs = [job_of(node.name, node.op, node.params) for node in nodes if counted_as[node.name] == node.name]
    border = border_jobs(build.border, str(context.results["freeze"]["model_hash"]))
    jobs += border
    found = synthesize(
        jobs,
        target=build.options.board.target,
        work=context.folder / "yosys",
        processes=build.options.jobs,
        progress=context.progress,
    )
    shutil.rmtree(context.folder / "yosys", ignore_errors=True)
    counts = {name: found[other] for name, other in counted_as.items()} | {job.name: found[job.name] for job in border}
    total = sum(counts.values(), Resources())
    predicted = build.stitched.resources() + build.border.resources
    write_json(context.folder / "resources.json", {name: asdict(r) for name, r in counts.items()})
    return {"total": asdict(total), "predicted": asdict(predicted), "shapes": len(first) if once else None}


STEP = BuildStep(
    name="synthesize",
    title="synthesize: Yosys estimate",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold", "generate"),
    needs=lambda options: ("pyosys",),
)
