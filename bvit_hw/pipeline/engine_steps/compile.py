"""The step `compile`: the network as a programme for the board's engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.check import check_programme
from bvit_hw.engine.commands import Kind, Memory
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import MEMORIES
from bvit_hw.engine.cycles import HALF_BANDWIDTH, frame_cycles
from bvit_hw.engine.footprint import memory_halves
from bvit_hw.engine.programme import save_programme
from bvit_hw.pipeline.artefacts import PROGRAMME_FILE, Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.engine import StepContext
from bvit_hw.pipeline.engine_programme import network_programme, part_cycles


def run(context: StepContext, build: Artefacts) -> Mapping[str, Any]:
    """Compile, carry the programme out on the golden machine for one picture, write it."""
    board, graph = build.options.board, build.frozen
    config = engine_of(board)
    context.progress(0, 3)
    compiled = compile_network(graph, config, fused=True)
    context.progress(1, 3)
    check_programme(graph, compiled, config)
    context.progress(2, 3)
    programme = network_programme(graph, compiled, config, name=build.options.model_name, record=build.record)
    save_programme(programme, config, context.folder / PROGRAMME_FILE)
    commands = programme.commands
    moved = sum(8 * c.words * c.slices for c in commands if c.kind in (Kind.LOAD, Kind.STORE))
    return {
        "identity": config.identity,
        "engine": asdict(config),
        "cycles_model": programme.facts["cycles"],
        "cycles_half_bandwidth": frame_cycles(config, HALF_BANDWIDTH, commands),
        "commands": len(commands),
        "programme_bytes": len(programme.body),
        "input_bytes": programme.input_bytes,
        "output_bytes": programme.output_bytes,
        "dram_bytes": moved + sum(command.encode().nbytes for command in commands),
        "memories": [
            {
                "name": name,
                "words": getattr(config, name),
                "bits": config.widths[name],
                "most_used": compiled.peaks.get(Memory[name.upper()], 0),
            }
            for name in MEMORIES
        ],
        "block_halves": _halves(memory_halves(config, board.target.memories)),
        "parts": [
            {"name": part.name, "takes": part.takes, **asdict(part.spent)} for part in part_cycles(compiled, config)
        ],
    }


def _halves(found: Mapping[str, float]) -> float:
    return float(sum(found.values()))


STEP = BuildStep(
    name="compile",
    title="compile: a programme for the engine, carried out by the golden machine",
    run=run,
    after=("checkpoint", "freeze"),
    inputs=lambda options: {"engine": options.board.engine and options.board.engine.model_dump()},
    code=("contract", "engine", "runtime/programme.py", "pipeline/engine_programme.py"),
)
