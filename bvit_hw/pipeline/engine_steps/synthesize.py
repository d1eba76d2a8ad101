"""The step `synthesize` of an engine: what its units take of the FPGA, counted by Yosys; the rest by the model."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.engine.area import modelled, unit_terms
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.footprint import memory_halves, ultra_blocks
from bvit_hw.flows.engine_area import unit_jobs
from bvit_hw.flows.yosys import analyse
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.timing import UNITS_FILE

#: what joins the units: multiplexers at the memories' ports, registers in front of them
BESIDE = "between the units, by the model of area"


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Count LUTs, flip-flops and DSPs of every unit; memories count as their shapes say, and what joins the units as
    the model of area does (engine/area.py), where the target has one.

    It is the same for every network.
    """
    board, work = build.options.board, context.folder / "yosys"
    config = engine_of(board)
    found = analyse(
        unit_jobs(config, work / "ports", primitives=board.target.vendor_cells),
        target=board.target,
        work=work,
        processes=build.options.jobs,
        progress=context.progress,
    )
    shutil.rmtree(work, ignore_errors=True)
    counts = {name: each.resources for name, each in found.items()}
    units = {name: each.timing.as_json() for name, each in found.items() if each.timing is not None}
    write_json(context.folder / UNITS_FILE, {"units": units})
    halves = memory_halves(config, board.target.memories)
    memories = board.target.memories
    counts["memories"] = Resources(bram18=float(sum(halves.values())), uram=ultra_blocks(config, memories))
    if modelled(board.target):
        counts[BESIDE] = board.target.weigh(unit_terms(config)["bvit_engine_core"])
    write_json(context.folder / "resources.json", {name: asdict(count) for name, count in counts.items()})
    return {"total": asdict(sum(counts.values(), Resources()))}


STEP = BuildStep(
    name="synthesize",
    title="synthesize: Yosys estimate of the engine's units",
    run=run,
    after=("generate",),
    inputs=lambda options: {"family": options.board.family},
    code=("targets", "flows/engine_area.py", "flows/sta.py", "flows/yosys.py", "engine/footprint.py", "engine/area.py"),
    needs=lambda options: ("pyosys",),
)
