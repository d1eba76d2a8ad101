"""What the single engine takes of an FPGA, and how long its paths are: by Yosys, the whole and each unit by itself."""

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
from bvit_hw.engine.footprint import memory_halves, ultra_blocks
from bvit_hw.flows.yosys import Analysed, SynthJob, analyse, run_script
from bvit_hw.ops.base import Resources
from bvit_hw.ops.binary_mvau import models_of
from bvit_hw.rtl_library import source_paths

#: the engine with its memories
WHOLE = "bvit_engine"
#: what joins the units: multiplexers at the memories' ports, registers in front of them
BETWEEN = "between the units"
#: modules that put units together, and what stands beside units in them: memories, delays
_AROUND = (WHOLE, "bvit_engine_core", "bvit_engine_memories")
_BESIDE = ("bvit_engine_ram", "bvit_engine_stages")
#: expected LUTs of a lane, or of a lane by a row: to begin with the largest
_WEIGHTS = {WHOLE: 7500.0, "bvit_engine_vector": 5000.0, "bvit_engine_matrix": 150.0}


def unit_modules() -> tuple[str, ...]:
    """The engine's units: what stands in its two outer modules, but memories and delays."""
    found: list[str] = []
    for path in source_paths(f"{name}.sv" for name in _AROUND):
        found += re.findall(r"^\s*(bvit_engine_\w+) #\(", path.read_text(), re.M)
        found += re.findall(r"^\s*(bvit_engine_\w+) u_\w+ \(", path.read_text(), re.M)
    return tuple(name for name in dict.fromkeys(found) if name not in (*_AROUND, *_BESIDE))


def analyse_engine(
    board: Board, work: Path, *, processes: int, progress: Callable[[int, int], None] | None = None
) -> dict[str, Analysed]:
    """Yosys' count and timing of the units of the board's engine, each by itself, and of the :data:`WHOLE`.

    What was counted before comes from the cache (flows/yosys.py); all of it takes minutes. ``work`` is a folder for
    Yosys. Raises BoardError for a board without an engine, ToolError where Yosys is missing or fails.
    """
    jobs = unit_jobs(
        engine_of(board), work / "ports", primitives=board.target.vendor_cells, modules=(*unit_modules(), WHOLE)
    )
    return analyse(jobs, target=board.target, work=work, processes=processes, progress=progress)


def engine_counts(board: Board, found: Mapping[str, Analysed]) -> dict[str, Resources]:
    """What units, memories and what joins them (:data:`BETWEEN`) take, of what :func:`analyse_engine` found.

    LUTs, flip-flops and DSPs add up to those of the whole. Block RAM and UltraRAM are those of the memories, and count
    as their shapes say: tools pack a memory differently.
    """
    config, memories = engine_of(board), board.target.memories
    counts = {name: each.resources for name, each in found.items() if name != WHOLE}
    whole, apart = found[WHOLE].resources, sum(counts.values(), Resources())
    counts["memories"] = Resources(
        bram18=float(sum(memory_halves(config, memories).values())), uram=ultra_blocks(config, memories)
    )
    counts[BETWEEN] = Resources(lut=whole.lut - apart.lut, ff=whole.ff - apart.ff, dsp=whole.dsp - apart.dsp)
    return counts


def unit_jobs(
    config: EngineConfig, work: Path, *, primitives: int = 0, modules: Sequence[str] | None = None
) -> list[SynthJob]:
    """A job for each unit with the parameters that ``config`` gives it; ``work`` is a folder for Yosys.

    ``primitives`` is the target's ``vendor_cells``, of which popcounts are made. ``modules`` stand in place of
    :func:`unit_modules`; :data:`WHOLE` may be one of them.
    """
    sources = tuple(source_paths((*models_of(primitives), *engine_sources())))
    given = {name.upper(): value for name, value in asdict(config).items()} | {"USE_PRIMITIVES": primitives}
    parameters = {name: _parameters(name, given) for name in modules or unit_modules()}
    ports = _ports(parameters, sources, work)
    tokens = config.tokens
    weights = {WHOLE: tokens, "bvit_engine_vector": tokens, "bvit_engine_matrix": tokens * config.rows}
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
