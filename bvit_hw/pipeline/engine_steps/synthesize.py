"""The step `synthesize` of an engine: what it takes of the FPGA, counted by Yosys, the whole and unit by unit."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.flows.engine_area import analyse_engine, engine_counts
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.timing import UNITS_FILE


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Count LUTs, flip-flops and DSPs of the whole and of every unit; memories count as their shapes say.

    It is the same for every network.
    """
    board, work = build.options.board, context.folder / "yosys"
    found = analyse_engine(board, work, processes=build.options.jobs, progress=context.progress)
    shutil.rmtree(work, ignore_errors=True)
    units = {name: each.timing.as_json() for name, each in found.items() if each.timing is not None}
    write_json(context.folder / UNITS_FILE, {"units": units})
    counts = engine_counts(board, found)
    write_json(context.folder / "resources.json", {name: asdict(count) for name, count in counts.items()})
    return {"total": asdict(sum(counts.values(), Resources()))}


STEP = BuildStep(
    name="synthesize",
    title="synthesize: Yosys estimate of the engine",
    run=run,
    after=("generate",),
    inputs=lambda options: {"family": options.board.family},
    code=("targets", "flows/engine_area.py", "flows/sta.py", "flows/yosys.py", "engine/footprint.py"),
    needs=lambda options: ("pyosys",),
)
