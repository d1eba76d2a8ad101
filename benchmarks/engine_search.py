"""The engine of each board by bvit_hw/engine/search.py: what it is, what it takes, how many frames it gives.

    python benchmarks/engine_search.py [--boards pynq-z2 ...] [--presets small-224] [--top 3] [--ports 64]
    python benchmarks/engine_search.py --given        # the engines in the boards' files, no search

A Markdown table on stdout. LUTs, flip-flops and DSPs are those of the model of area, blocks those of the memories'
shapes; with ``--yosys`` the whole of each engine is counted as well, which takes minutes each. Cycles are the model's.
"""

from __future__ import annotations

import argparse
import logging
import sys
import tempfile
import time
from pathlib import Path

from engine_area import job
from machine import processor

from bvit_hw.boards import Board, board_names, load_board
from bvit_hw.contract import FrozenGraph
from bvit_hw.engine.area import engine_resources
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import MEMORIES, EngineConfig
from bvit_hw.engine.cycles import RULES, frame_cycles
from bvit_hw.engine.search import Found, search
from bvit_hw.flows.yosys import synthesize
from bvit_hw.freeze.random_frozen import random_frozen


def counted(config: EngineConfig, board: Board) -> str:
    """Yosys' count of the whole."""
    with tempfile.TemporaryDirectory() as work:
        jobs = [job("bvit_engine", config, board.target)]
        found = synthesize(jobs, target=board.target, work=Path(work), processes=1)["bvit_engine"]
    return f"{found.lut:,.0f} LUT, {found.ff:,.0f} FF, {found.bram18 / 2:g} blocks, {found.dsp:,.0f} DSP"


def given_engine(graphs: dict[str, FrozenGraph], board: Board) -> Found:
    """That of the board's file."""
    config = engine_of(board)
    cycles = {
        name: frame_cycles(config, RULES, compile_network(graph, config, fused=True).programme.commands)
        for name, graph in graphs.items()
    }
    return Found(config, engine_resources(config, board.target), cycles)


def main() -> int:
    """Search, and print."""
    zynq = [name for name in board_names() if load_board(name).vivado is not None]
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--boards", nargs="+", default=zynq)
    parser.add_argument("--presets", nargs="+", default=["small-224"])
    parser.add_argument("--also", nargs="+", default=["tiny-digits"], help="judged, but not searched for")
    parser.add_argument("--ports", type=int, nargs="+", default=[64, 128])
    parser.add_argument("--top", type=int, default=1)
    parser.add_argument("--given", action="store_true")
    parser.add_argument("--yosys", action="store_true")
    parser.add_argument("--verbose", action="store_true")
    given = parser.parse_args()
    if given.verbose:
        logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", stream=sys.stderr)
    graphs = {name: random_frozen(name) for name in given.presets}
    others = {name: random_frozen(name) for name in given.also if name not in graphs}
    print(f"{processor()}, {time.strftime('%Y-%m-%d')}\n")
    names = ["board", "MHz", "tokens x rows x channels", "port", ", ".join(MEMORIES), "LUT", "FF", "DSP", "blocks",
             *(["by Yosys"] if given.yosys else []),
             *(f"{name}: cycles, frames/s" for name in (*graphs, *others))]  # fmt: skip
    print("| " + " | ".join(names) + " |\n|" + "---|" * len(names), flush=True)
    for board in map(load_board, given.boards):
        start, limits = time.process_time(), board.limits
        found = [given_engine(graphs, board)] if given.given else search(graphs, board, ports=given.ports)
        for one in found[: given.top]:
            c, area = one.config, one.area
            cycles = {**one.cycles, **(given_cycles(others, c))}
            row = [board.name, f"{board.engine_clock_mhz:g}", f"{c.tokens} x {c.rows} x {c.channels}", str(c.port),
                   ", ".join(f"{getattr(c, name):,}" for name in MEMORIES),
                   f"{area.lut:,.0f} of {limits.lut:,.0f}", f"{area.ff:,.0f} of {limits.ff:,.0f}",
                   f"{area.dsp:,.0f} of {limits.dsp:,.0f}", f"{area.bram18 / 2:g} of {limits.bram18 / 2:g}",
                   *([counted(c, board)] if given.yosys else []),
                   *(f"{n:,}, {board.engine_clock_mhz * 1e6 / n:,.1f}" for n in cycles.values())]  # fmt: skip
            print("| " + " | ".join(row) + " |", flush=True)
        print(f"{board.name}: {len(found)} engines, {time.process_time() - start:.0f} s of a core", file=sys.stderr)
    return 0


def given_cycles(graphs: dict[str, FrozenGraph], config: EngineConfig) -> dict[str, int]:
    """Of networks that the search did not look at."""
    return {
        name: frame_cycles(config, RULES, compile_network(graph, config, fused=True).programme.commands)
        for name, graph in graphs.items()
    }


if __name__ == "__main__":
    sys.exit(main())
