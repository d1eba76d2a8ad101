"""The steps of `bvit-hw build`, in order, for given options."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import Any

from bvit_hw.pipeline.architecture import ENGINE
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import Step, StepContext
from bvit_hw.pipeline.engine_steps import compile as compile_
from bvit_hw.pipeline.engine_steps import generate as engine_generate
from bvit_hw.pipeline.engine_steps import package as engine_package
from bvit_hw.pipeline.engine_steps import simulate as engine_simulate
from bvit_hw.pipeline.engine_steps import synthesize as engine_synthesize
from bvit_hw.pipeline.engine_steps import timing as engine_timing
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.steps import (
    bitstream,
    checkpoint,
    export,
    fold,
    freeze,
    generate,
    hls,
    lower,
    package,
    simulate,
    synthesize,
    timing,
)
from bvit_hw.resources import data_path

STEPS = tuple(
    module.STEP
    for module in (
        checkpoint, freeze, export, lower, fold, hls, generate, simulate, synthesize, timing, package,
        bitstream,
    )
)  # fmt: skip
#: of a single engine
ENGINE_STEPS = tuple(
    module.STEP
    for module in (
        checkpoint, freeze, export, compile_, engine_generate, engine_simulate, engine_synthesize, engine_timing,
        engine_package, bitstream,
    )
)  # fmt: skip
_PACKAGE = Path(__file__).resolve().parents[1]


def make_steps(options: BuildOptions) -> list[Step]:
    """All steps for ``options``; a step runs again when its inputs, its code or a step before it changed."""
    steps = ENGINE_STEPS if options.architecture == ENGINE else STEPS
    wanted = [step for step in steps if step.wanted(options)]
    names = {step.name for step in wanted}
    build = Artefacts(options)
    return [
        Step(
            step.name,
            step.title,
            partial(_run, step, build),
            after=tuple(name for name in step.after if name in names),
            inputs=step.inputs(options),
            code=(
                Path(str(sys.modules[step.run.__module__].__file__)),
                *(_PACKAGE / name for name in step.code),
                *(_data(name) for name in step.data),
            ),
            needs=step.needs(options),
            may_need=step.may_need(options),
            goes_with=step.goes_with,
        )
        for step in wanted
    ]


def _data(name: str) -> Path:
    folder, _, inside = name.partition("/")
    return data_path(folder) / inside


def _run(step: BuildStep, build: Artefacts, context: StepContext) -> Any:
    build.folders = context.earlier
    return step.run(context, build)


def identity(options: BuildOptions) -> dict[str, str]:
    """Whose an output folder is: one board and one checkpoint, and an engine where it is none of a streaming one."""
    found = {"board": options.board.name, "checkpoint": options.checkpoint_digest}
    return found | {"architecture": ENGINE} if options.architecture == ENGINE else found


def identity_files(options: BuildOptions) -> dict[str, str]:
    """The files that the hashes of :func:`identity` are of."""
    return {"checkpoint": str(options.checkpoint.absolute())}
