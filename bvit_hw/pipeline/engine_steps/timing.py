"""The step `timing` of an engine: how long the longest path of each unit is, beside what the clock leaves it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from bvit_hw.flows.sta import UnitTiming
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.timing import UNITS_FILE, estimate, has_delays


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Estimate the longest path inside each unit; what lies between units is not known."""
    found = json.loads((context.earlier["synthesize"] / UNITS_FILE).read_text())
    return estimate(context, build.options, {name: UnitTiming.read(data) for name, data in found["units"].items()}, [])


STEP = BuildStep(
    name="timing",
    title="timing: estimate of the engine's units",
    run=run,
    after=("synthesize",),
    inputs=lambda options: {"clock_mhz": options.clock_mhz, "board": options.board.model_dump(mode="json")},
    code=("flows/stitched_timing.py", "pipeline/steps/timing.py"),
    wanted=has_delays,
    goes_with="synthesize",
)
