"""The step `bitstream`: by the tools of the board's vendor, or open ones, where they are."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from bvit_hw.flows.plain import vendor_copy
from bvit_hw.flows.vendor import flow_of
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext, StepNotRun


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Run the tools; otherwise say that it is not here."""
    work, flow = context.folder / "vendor", flow_of(build.options.board)
    if flow.path() is None:
        raise StepNotRun(flow.missing)
    with vendor_copy(context.earlier["package"], work) as place:
        names = flow.build(place)
    implementation = flow.implementation(work)
    for name in (*names.values(), *flow.kept):
        (work / name).rename(context.folder / name)
    shutil.rmtree(work)
    return {**names, "implementation": implementation}


STEP = BuildStep(name="bitstream", title="bitstream: place and route", run=run, after=("package",))
