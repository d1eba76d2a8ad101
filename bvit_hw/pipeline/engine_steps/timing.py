"""The step `timing` of an engine: how long the longest path of each unit is, and of the whole, beside the clock."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bvit_hw.flows.engine_area import WHOLE
from bvit_hw.flows.sta import UnitTiming
from bvit_hw.flows.stitched_timing import Between
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.timing import UNITS_FILE, estimate, has_delays


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Estimate the longest path inside each unit, and that of the whole, which may lie between units."""
    found = json.loads((context.earlier["synthesize"] / UNITS_FILE).read_text())
    units = {name: UnitTiming.read(data) for name, data in found["units"].items()}
    whole = units.pop(WHOLE)
    path = whole.inside
    assert path is not None, "an engine has registers"
    longest = Between(ns=path.ns, levels=path.levels, units=(WHOLE,), signal=f"{path.begin} -> {path.end}")
    return estimate(context, build.options, units, between=[longest], control_sets=whole.control_sets)


STEP = BuildStep(
    name="timing",
    title="timing: estimate of the engine",
    run=run,
    after=("synthesize",),
    inputs=lambda options: {"clock_mhz": options.clock_mhz, "board": options.board.model_dump(mode="json")},
    code=("flows/stitched_timing.py", "pipeline/steps/timing.py"),
    wanted=has_delays,
    goes_with="synthesize",
)
