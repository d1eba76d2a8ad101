"""The step `synthesize`: what the accelerator takes of the FPGA, counted by Yosys."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.flows.border_jobs import border_jobs
from bvit_hw.flows.parts_sim import is_large
from bvit_hw.flows.yosys import analyse, job_of
from bvit_hw.ops.base import HwOp, Resources
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.timing import UNITS_FILE


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Count LUTs, flip-flops, block RAMs and DSPs of every operator with Yosys, and time what it is mapped to.

    Of a large core operators of equal shape are counted once, with the contents of the first of them.
    """
    nodes = build.stitched.nodes
    once = is_large(build.stitched)
    first: dict[HwOp, str] = {}
    counted_as = {node.name: first.setdefault(node.op, node.name) if once else node.name for node in nodes}
    jobs = [job_of(node.name, node.op, node.params) for node in nodes if counted_as[node.name] == node.name]
    border = border_jobs(build.border, str(context.results["freeze"]["model_hash"]))
    jobs += border
    found = analyse(
        jobs,
        target=build.options.board.target,
        work=context.folder / "yosys",
        processes=build.options.jobs,
        progress=context.progress,
    )
    shutil.rmtree(context.folder / "yosys", ignore_errors=True)
    counted_as |= {job.name: job.name for job in border}
    counts = {name: found[other].resources for name, other in counted_as.items()}
    total = sum(counts.values(), Resources())
    predicted = build.stitched.resources() + build.border.resources
    write_json(context.folder / "resources.json", {name: asdict(r) for name, r in counts.items()})
    units = {name: each.timing.as_json() for name, each in found.items() if each.timing is not None}
    write_json(context.folder / UNITS_FILE, {"units": units, "timed_as": counted_as})
    return {"total": asdict(total), "predicted": asdict(predicted), "shapes": len(first) if once else None}


STEP = BuildStep(
    name="synthesize",
    title="synthesize: Yosys estimate",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold", "generate"),
    code=("targets", "flows/sta.py", "flows/yosys.py"),
    needs=lambda options: ("pyosys",),
)
