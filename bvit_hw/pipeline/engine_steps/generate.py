"""The step `generate` of an engine: its RTL with the board's parameters. It is the same for every network."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

from bvit_hw.codegen.engine_top import engine_sources, engine_top
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.flows.verilator import lint
from bvit_hw.ops.binary_mvau import models_of
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.steps.generate import TOP
from bvit_hw.rtl_library import source_paths


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Write the engine's files and its top, and check them with all warnings."""
    board = build.options.board
    config = engine_of(board)
    rtl = context.folder / "rtl"
    rtl.mkdir()
    for source in source_paths(engine_sources()):
        shutil.copyfile(source, rtl / source.name)
    cells = board.target.vendor_cells
    text = engine_top(config, name=TOP, memory_bits=board.memory_bits, primitives=cells)
    (rtl / f"{TOP}.v").write_text(text)
    files = [*engine_sources(), f"{TOP}.v"]
    (context.folder / "files.f").write_text("".join(f"rtl/{name}\n" for name in files))
    lint([*source_paths(models_of(cells)), *(rtl / name for name in files)], TOP)
    return {
        "identity": config.identity,
        "address_bits": board.memory_bits,
        "kernels": [{"top": TOP, "files": files, "memories": [], "streams": {}, "master_bits": config.port}],
    }


STEP = BuildStep(
    name="generate",
    title="generate: the engine's RTL, lint",
    run=run,
    inputs=lambda options: {
        "engine": options.board.engine and options.board.engine.model_dump(),
        "memory_bits": options.board.memory_bits,
        "family": options.board.family,
    },
    code=("codegen", "engine/config.py", "flows/verilator.py"),
    data=("rtl",),
    needs=lambda options: ("verilator",),
)
