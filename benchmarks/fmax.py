"""How fast each operator of a network runs once it is placed and routed on an ECP5, alone between registers.

    python benchmarks/fmax.py [--preset tiny-digits] [--board ulx3s-85f] [--cycles N] [--kinds KIND ...] [--seed 1]

The network is folded for the board, with random parameters; operators of equal shape are routed once. A line each, as
Markdown: Fmax as nextpnr reports it, the slowest path's logic and wire in ns, and what was placed. The harness' own
registers are in those counts. Nothing here says what the network as a whole does: the paths between operators, and what
a full chip does to the wires, are not in it.
"""

from __future__ import annotations

import argparse
import shutil
import time
from pathlib import Path

from machine import processor

from bvit_hw.boards import load_board
from bvit_hw.flows.nextpnr import device_of, nextpnr_version, route_alone
from bvit_hw.flows.yosys import job_of
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.models.presets import preset
from bvit_hw.ops.base import HwOp

HEADS = "| operator | kind | folding | Fmax, MHz | logic, ns | wire, ns | LUT4 | FF | EBR | MULT18 | seconds |"


def folding_of(op: HwOp) -> str:
    """What of the operator works at once."""
    names = ("simd", "kp", "mp", "pe")
    return " ".join(f"{name} {value}" for name in names if (value := op.attributes().get(name)) is not None)


def main() -> None:
    """Fold, route each shape, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--preset", default="tiny-digits")
    parser.add_argument("--board", default="ulx3s-85f")
    parser.add_argument("--cycles", type=int, help="cycles a frame that the folding may take (default: the fewest)")
    parser.add_argument("--kinds", nargs="+", help="operators of these kinds only")
    parser.add_argument("--seed", type=int, default=1, help="of nextpnr's placer")
    parser.add_argument("--work", type=Path, default=Path("build/benchmarks/fmax"))
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    fps = None if arguments.cycles is None else board.clock_mhz * 1e6 / arguments.cycles
    folded = fold(
        run_passes(hw_graph_of(random_frozen(preset(arguments.preset), seed=1)), board_passes(board)), board,
        target_fps=fps,
    )  # fmt: skip
    device = device_of(board.part)
    print(
        f"{arguments.preset} on {board.part}, {folded.cycles:,} cycles a frame, nextpnr {nextpnr_version()}, "
        f"seed {arguments.seed}; {processor()}, {time.strftime('%Y-%m-%d')}\n\n{HEADS}\n|{11 * '---|'}"
    )
    done: set[HwOp] = set()
    for node in planned(folded.graph, board.limits).nodes:
        kind = type(node.op).__name__
        if node.op in done or (arguments.kinds and kind not in arguments.kinds):
            continue
        done.add(node.op)
        start = time.monotonic()
        work = arguments.work / node.name
        shutil.rmtree(work, ignore_errors=True)
        found = route_alone(
            job_of(node.name, node.op, node.params), board.target, device, work,
            clock_mhz=board.clock_mhz, seed=arguments.seed,
        )  # fmt: skip
        (mhz,), (path,), r = found.fmax_mhz.values(), found.slowest.values(), found.resources
        print(
            f"| `{node.name}` | {kind} | {folding_of(node.op)} | {mhz:.0f} | "
            f"{path.logic_ns:.1f} | {path.wire_ns:.1f} | "
            f"{r.lut:,.0f} | {r.ff:,.0f} | {r.bram18:,.0f} | {r.dsp:,.0f} | {time.monotonic() - start:.0f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
