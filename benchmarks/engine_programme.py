"""A network's programme for an engine: memories, tiles, commands, DRAM, and cycles beside the bounds.

    python benchmarks/engine_programme.py [--preset small-224] [--values 5120 ...]

Cycles are those of the model (bvit_hw/engine/cycles.py), not measured and not simulated. Blocks of memory are counted
from the memories' shapes, not synthesized.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter, defaultdict

from engine_bounds import Bound, Plan, bound

from bvit_hw.boards import load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.commands import Kind, Memory, Space
from bvit_hw.engine.compiled import Compiled
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import MEMORIES, EngineConfig
from bvit_hw.engine.cycles import HALF_BANDWIDTH, HESITANT, Clock, Cycles, Rules, frame_cycles
from bvit_hw.engine.footprint import memory_halves
from bvit_hw.freeze.random_frozen import random_frozen
from bvit_hw.targets.xilinx import MEMORIES as BLOCKS

#: the engine as it is, and what else could be: what a cycle does
VARIANTS = {
    "as it is": Rules(),
    "DRAM answers after 100 cycles": Rules(latency=100),
    "DRAM answers after 100 cycles and hesitates in 4 of 16": HESITANT,
    "half of DRAM's bandwidth": HALF_BANDWIDTH,
    "no command is fetched beforehand": Rules(ahead=1),
    "two taps": Rules(taps=2),
    "four taps": Rules(taps=4),
    "four taps, and commands that begin while the one before drains": Rules(
        taps=4, compute=8, attend=16, moving=8, settle=0
    ),
}


def memories(config: EngineConfig, compiled: Compiled, board: str) -> None:
    """Print what each memory takes, and how much of it is used."""
    halves = memory_halves(config, BLOCKS)
    print("| memory | words | bits a word | blocks of 36 Kbit | most words used |\n|---|---|---|---|---|")
    for name in MEMORIES:
        peak = compiled.peaks[Memory[name.upper()]]
        print(f"| {name} | {getattr(config, name):,} | {config.widths[name]:,} | {halves[name] / 2:g} | {peak:,} |")
    there = load_board(board).resources.bram18.count / 2
    print(f"| all | | | {sum(halves.values()) / 2:g} of {there:g} | |\n")
    tiles = {f"{x.lines} x {x.slots // x.lines * x.lanes}": height for x, height in compiled.heights.items()}
    print("lines of a tile, by grid:", ", ".join(f"{grid}: {height}" for grid, height in tiles.items()))


def traffic(compiled: Compiled) -> None:
    """Print commands by kind, and what a frame moves."""
    kinds = Counter(c.kind.name for c in compiled.programme.commands)
    print("commands:", ", ".join(f"{kind} {n:,}" for kind, n in kinds.most_common()))
    moved: Counter[str] = Counter()
    for c in compiled.programme.commands:
        if c.kind in (Kind.LOAD, Kind.STORE):
            what = {Space.INPUT: "frame", Space.OUTPUT: "logits"}.get(c.space, c.memory.name.lower())
            moved["logits" if c.kind == Kind.STORE else what] += 8 * c.words * c.slices
    moved["commands"] = 128 * len(compiled.programme.commands)
    print("bytes of DRAM a frame:", ", ".join(f"{what} {n:,}" for what, n in moved.most_common()))
    print(f"all {sum(moved.values()):,}; programme {len(compiled.programme.body):,}\n")


def layers(config: EngineConfig, compiled: Compiled, bounds: dict[str, list[int]]) -> None:
    """Print each part's cycles beside its bound."""
    parts: dict[str, Cycles] = defaultdict(Cycles)
    took: Counter[str] = Counter()
    clock, done = Clock(config, Rules()), 0
    for behind, name in compiled.tasks:
        part, before = name.split(".")[0], clock.spent
        took[part] += clock.run(compiled.programme.commands[done:behind])
        x = clock.spent
        parts[part] += Cycles(
            x.computing - before.computing, x.filling - before.filling, x.loading - before.loading,
            x.fetching - before.fetching,
        )  # fmt: skip
        done = behind
    print("| part | bound | computing | filling | loading | fetching | takes |\n|---|---|---|---|---|---|---|")
    for part, row in bounds.items():
        x = parts[part]
        numbers = row[2], x.computing, x.filling, x.loading, x.fetching, took[part]
        print(f"| {part} |", " | ".join(f"{n:,}" for n in numbers), "|")
    x, whole = clock.spent, sum(row[2] for row in bounds.values())
    numbers = whole, x.computing, x.filling, x.loading, x.fetching, clock.now
    print("| all |", " | ".join(f"{n:,}" for n in numbers), "|\n")


def main() -> None:
    """Print all of it."""
    there = engine_of(load_board("pynq-z2"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="small-224")
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--plain", action="store_true", help="each node's commands of its own, nothing fused")
    for name in ("tokens", "rows", "channels", "port", *MEMORIES):
        parser.add_argument(f"--{name}", type=int, default=getattr(there, name))
    given = parser.parse_args()
    config = EngineConfig(**{name: getattr(given, name) for name in ("tokens", "rows", "channels", "port", *MEMORIES)})
    graph, start = random_frozen(given.preset), time.process_time()
    compiled = compile_network(graph, config, fused=not given.plain)
    print(f"{given.preset}, {config}\ncompiled in {time.process_time() - start:.1f} s of one core\n")
    memories(config, compiled, given.board)
    traffic(compiled)
    clock = load_board(given.board).engine_clock_mhz
    plan = Plan(given.board, config.tokens, config.rows, config.channels, 1, config.port, clock)
    layers(config, compiled, bound(Bound(graph, plan)))
    print(f"| engine, by the model at {clock:g} MHz | cycles a frame | frames/s |\n|---|---|---|")
    for name, rules in VARIANTS.items():
        total = frame_cycles(config, rules, compiled.programme.commands)
        print(f"| {name} | {total:,} | {clock * 1e6 / total:,.1f} |")


if __name__ == "__main__":
    main()
