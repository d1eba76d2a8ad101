"""The step `generate`: FIFO depths from a simulation, then the accelerator's RTL."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from itertools import chain
from typing import Any

import numpy as np

from bvit_hw.boards import Board
from bvit_hw.codegen.design import design
from bvit_hw.disk import scratch
from bvit_hw.errors import ConfigError
from bvit_hw.flows.cache import any_cached
from bvit_hw.flows.limited_sim import LimitedSimulator, run_or_stuck
from bvit_hw.flows.parts_sim import core_simulator, is_large
from bvit_hw.flows.verilator import lint
from bvit_hw.graph.border import Border
from bvit_hw.graph.fifo_sizing import CoreRun, SizedGraph, size_fifos, sizing_frames
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.stitch_plan import add_glue
from bvit_hw.graph.tight_fifos import try_depths
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.artefacts import FIFO_FILE, GRAPH_FILE, PROVEN_RUN, Artefacts
from bvit_hw.pipeline.build_step import BuildStep, write_json
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.rtl_library import source_paths

COMPILERS = ("g++", "make")
TOP = "bvit_accelerator"
SIZING_IMAGES = 4


def verilator_and_compilers(options: BuildOptions) -> tuple[str, ...]:
    """What simulating needs. Models that were compiled before need no compiler; whether they are those of this build
    is seen in the step (which may need COMPILERS, then)."""
    return ("verilator",) if any_cached("models") else ("verilator", *COMPILERS)


def rooms_of_core(board: Board, border: Border) -> tuple[Resources, ...]:
    """What the core may take on each die of ``board``: what is left beside its border."""
    first, *others = board.rooms
    return (first - border.resources, *others)


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Size the FIFOs by simulating the real RTL, then write the accelerator: SystemVerilog, memories, file lists."""
    options, folded, border = build.options, build.folded, build.border
    images = build.images.images[:SIZING_IMAGES]
    context.progress(0, 3)
    frames = sizing_frames(folded)
    glued = add_glue(folded, image=images[0], clock_mhz=options.clock_mhz)
    if options.tried_fifos and is_large(glued):
        raise ConfigError(
            f"--try-fifos {options.tried_fifos}: the core has {len(glued.nodes):,} units and is simulated in parts; "
            "FIFOs are tried only of a core that is compiled as a whole"
        )
    simulator = core_simulator(glued, context.say, jobs=options.jobs)
    sized = size_fifos(
        glued, simulator, images, rooms=rooms_of_core(options.board, border), clock_mhz=options.clock_mhz, frames=frames
    )
    context.progress(2, 3)
    save_graph(sized.graph, context.folder / GRAPH_FILE)
    write_json(context.folder / FIFO_FILE, fifo_facts(sized, options, images))
    run = sized.run
    np.savez(context.folder / PROVEN_RUN, images=images, logits=run.logits, starts=run.starts, ends=run.ends)
    made = design(
        sized.graph,
        name=TOP,
        model_hash=str(context.results["freeze"]["model_hash"]),
        image=(build.config.image_size, build.config.image_size, build.config.in_channels),
        border=border,
        logits_exponent=int(context.results["freeze"]["logits_exponent"]),
    )
    rtl, models = context.folder / "rtl", context.folder / "sim"  # what is simulated alone lies apart
    made.write(rtl, context.folder / "mem")
    models.mkdir()
    for names, target in ((made.library, rtl), (made.cell_models, models)):
        for source in source_paths(names):
            shutil.copyfile(source, target / source.name)
    synthesis = [f"rtl/{name}" for name in dict.fromkeys(chain.from_iterable(made.sources.values()))]
    linked = [f"sim/{path.name}" for path in made.write_linked(models)]
    simulation = [*(f"sim/{name}" for name in made.cell_models), *synthesis, *linked]
    for listing, paths in (("files.f", synthesis), ("sim_files.f", simulation)):
        (context.folder / listing).write_text("".join(f"{path}\n" for path in paths))
    if is_large(sized.graph) and len(made.kernels) > 1:
        # What links the kernels makes one design of them, which takes Verilator minutes and many gigabytes.
        tops = {kernel.module: [f"rtl/{name}" for name in made.sources[kernel.module]] for kernel in made.kernels}
    else:
        tops = {made.simulated_top: [*synthesis, *linked]}
    cells = [models / name for name in made.cell_models]
    with ThreadPoolExecutor(options.jobs) as pool:
        list(pool.map(lambda top: lint([*cells, *(context.folder / path for path in tops[top])], top), tops))
    fifos = [node.op for node in sized.graph.fifos]
    return {
        "simulated_top": made.simulated_top,
        "kernels": [
            {
                "top": kernel.module,
                "files": made.sources[kernel.module],
                "memories": sorted(core.memories),
                "streams": dict(kernel.streams),
            }
            for kernel, core in zip(made.kernels, made.cores, strict=True)
        ],
        "input_bits": border.input_bits,
        "guard_depth": border.guard_depth,
        "fifos": len(fifos),
        "fifo_bits": sum(op.fifo_depth * op.inputs[0].width for op in fifos),
        "sizing": {
            "cycles_model": folded.cycles,
            "cycles_simulated": sized.run.cycles_per_frame,
            "frames": frames,
        },
    }


def fifo_facts(sized: SizedGraph, options: BuildOptions, images: np.ndarray) -> dict[str, dict[str, int | str]]:
    """By FIFO's name what sizing measured, and what came of the trials that are asked for."""
    frames = len(sized.run.ends)
    with scratch("bvit-fifos-") as folder:
        simulator = LimitedSimulator(workdir=folder, jobs=options.jobs)

        def run(limits: Mapping[str, int]) -> CoreRun | None:
            limited = replace(simulator, limits=limits)
            return run_or_stuck(limited, sized.graph, images, frames=frames, timing_only=True)

        tried = try_depths(sized.graph, run, options.tried_fifos) if options.tried_fifos else {}
    return {
        node.name: {"held": sized.occupancy[node.name], "needed": sized.needed[node.name]}
        | (asdict(tried[node.name]) if node.name in tried else {})
        for node in sized.graph.fifos
    }


STEP = BuildStep(
    name="generate",
    title="generate: FIFO depths, RTL, lint",
    run=run,
    after=("checkpoint", "freeze", "lower", "fold"),
    inputs=lambda options: {"tried_fifos": options.tried_fifos, "clock_mhz": options.clock_mhz},
    code=("codegen", "flows"),
    data=("rtl",),
    needs=verilator_and_compilers,
    may_need=lambda options: COMPILERS,
)
