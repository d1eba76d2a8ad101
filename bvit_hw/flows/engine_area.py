"""What the single engine's units take of an FPGA, each counted by Yosys by itself."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bvit_hw.boards import Board
from bvit_hw.codegen.engine_top import engine_sources
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.footprint import memory_halves
from bvit_hw.flows.yosys import SynthJob, run_script, synthesize
from bvit_hw.ops.base import Resources
from bvit_hw.ops.binary_mvau import models_of
from bvit_hw.rtl_library import source_paths

#: modules that put units together, and what stands beside units in them: memories, delays
_AROUND = ("bvit_engine", "bvit_engine_core", "bvit_engine_memories")
_BESIDE = ("bvit_engine_ram", "bvit_engine_stages")
#: expected LUTs of a lane, or of a lane by a row: to begin with the largest
_WEIGHTS = {"bvit_engine_vector": 5000.0, "bvit_engine_matrix": 150.0}


def unit_modules() -> tuple[str, ...]:
    """The engine's units: what stands in its two outer modules, but memories and delays."""
    found: list[str] = []
    for path in source_paths(f"{name}.sv" for name in _AROUND):
        found += re.findall(r"^\s*(bvit_engine_\w+) #\(", path.read_text(), re.M)
        found += re.findall(r"^\s*(bvit_engine_\w+) u_\w+ \(", path.read_text(), re.M)
    return tuple(name for name in dict.fromkeys(found) if name not in (*_AROUND, *_BESIDE))


def engine_counts(
    board: Board, work: Path, *, processes: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Resources]:
    """What the units of the board's engine take, and its memories, which count as their shapes say.

    Units that were counted before come from the cache (flows/yosys.py); all of them take minutes. ``work`` is a folder
    for Yosys. Raises BoardError for a board without an engine, ToolError where Yosys is missing or fails.
    """
    config = engine_of(board)
    jobs = unit_jobs(config, work / "ports", primitives=board.target.vendor_cells)
    counts = synthesize(jobs, target=board.target, work=work, processes=processes, progress=progress)
    halves = memory_halves(config, board.target.memories)
    return {**counts, "memories": Resources(bram18=float(sum(halves.values())))}


def unit_jobs(config: EngineConfig, work: Path, *, primitives: int = 0) -> list[SynthJob]:
    """A job for each unit with the parameters that ``config`` gives it; ``work`` is a folder for Yosys.

    ``primitives`` is the target's ``vendor_cells``, of which popcounts are made.
    """
    sources = tuple(source_paths((*models_of(primitives), *engine_sources())))
    given = {name.upper(): value for name, value in asdict(config).items()} | {"USE_PRIMITIVES": primitives}
    parameters = {name: _parameters(name, given) for name in unit_modules()}
    ports = _ports(parameters, sources, work)
    weights = {"bvit_engine_vector": config.tokens, "bvit_engine_matrix": config.tokens * config.rows}
    return [
        SynthJob(
            name=name,
            module=name,
            sources=sources,
            parameters=parameters[name],
            inputs={},
            outputs={},
            others=ports[name],
            weight=_WEIGHTS.get(name, 0.0) * weights.get(name, 0) or 1000.0,
        )
        for name in parameters
    ]


def _parameters(module: str, given: Mapping[str, int]) -> dict[str, int]:
    """Those of the module that are called as the engine's numbers are; others are as the module says."""
    (path,) = source_paths([f"{module}.sv"])
    own = set(re.findall(r"^\s*parameter int (\w+)", path.read_text(), re.M))
    return {name: value for name, value in given.items() if name in own}


def _ports(
    modules: Mapping[str, Mapping[str, int]], sources: Sequence[Path], work: Path
) -> dict[str, tuple[tuple[str, str, int], ...]]:
    """Direction, name and bits of each module's ports but clock and reset, as Yosys elaborates them."""
    work.mkdir(parents=True, exist_ok=True)
    names, lines = " ".join(source.name for source in sources), []
    for module, parameters in modules.items():
        given = " ".join(f"-G {name}={value}" for name, value in parameters.items())
        lines += [
            f"read_slang --top {module} {given} {names}", f"select -module {module} i:* o:*",
            f"write_json -selected {module}.json", "design -reset",
        ]  # fmt: skip
    run_script(work, "\n".join(lines) + "\n", sources)
    found = {}
    for module in modules:
        ports = json.loads((work / f"{module}.json").read_text())["modules"][module]["ports"]
        signals = [(str(port["direction"]), name, len(port["bits"])) for name, port in ports.items()]
        found[module] = tuple(signal for signal in signals if signal[1] not in ("clk", "rst"))
    return found
