"""Where an accelerator's LUTs go: Yosys counts of a finished build by kind of operator, and what faster foldings need.

Both as Markdown tables on stdout. The first comes from the folder of a finished ``bvit-hw build``. The second is the
cost model's: the folding of least LUTs at each of ``--cycles`` on a board of twice the LUTs, block RAM and DSPs within
the board's own budget, with FIFO depths estimated.

Usage: ``python benchmarks/area_table.py build/pynq-z2 --cycles 1024 512``
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path

from bvit_hw.boards import Board, load_board
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.file import load_graph
from bvit_hw.graph.folding import fold
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.artefacts import GRAPH_FILE

#: how many times the board's LUTs and flip-flops the foldings of the second table may take
_MORE = 2
COLUMNS = ("lut", "ff", "bram18", "dsp")


def built(build: Path) -> tuple[HwGraph, dict[str, Resources]]:
    """The stitched graph of a finished build, and the counts of every operator by its name."""
    stitched = load_graph(build / "generate" / GRAPH_FILE)
    counts = json.loads((build / "synthesize" / "resources.json").read_text())
    return stitched, {name: Resources(**values) for name, values in counts.items()}


def larger(board: Board) -> Board:
    """The board with more LUTs and flip-flops."""
    resources = board.resources
    more = {
        kind: figure.model_copy(update={"count": _MORE * figure.count})
        for kind, figure in (("lut", resources.lut), ("ff", resources.ff))
    }
    return board.model_copy(update={"resources": resources.model_copy(update=more)})


def by_kind(rows: Iterable[tuple[str, Resources]]) -> dict[str, tuple[int, Resources]]:
    """Number and sum of what each kind takes, most LUTs first."""
    found: dict[str, tuple[int, Resources]] = {}
    for kind, resources in rows:
        count, total = found.get(kind, (0, Resources()))
        found[kind] = count + 1, total + resources
    return dict(sorted(found.items(), key=lambda item: -item[1][1].lut))


def cells(resources: Resources) -> str:
    """The columns of a table."""
    return " | ".join(f"{getattr(resources, kind):,.0f}" for kind in COLUMNS)


def main() -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("build", type=Path, help="folder of a finished build")
    parser.add_argument("--board", default="pynq-z2")
    parser.add_argument("--cycles", type=int, nargs="*", default=[1024, 512])
    arguments = parser.parse_args()
    board = load_board(arguments.board)
    graph, counts = built(arguments.build)
    kinds = {node.name: node.op.op_type for node in graph.nodes}
    models = {node.name: node.op.resources() for node in graph.nodes}
    counted = by_kind((kinds.get(name, "border"), resources) for name, resources in counts.items())
    predicted = by_kind((kinds[name], resources) for name, resources in models.items())
    print(f"Counted by Yosys, {graph.cycles} cycles a frame:\n")
    print("| operator | instances | LUT | FF | BRAM18 | DSP | LUT by the model |")
    print("|---|" + "---|" * 6)
    for kind, (number, total) in counted.items():
        model = f"{predicted[kind][1].lut:,.0f}" if kind in predicted else ""
        print(f"| {kind} | {number} | {cells(total)} | {model} |")
    print(f"| all | {len(counts)} | {cells(sum(counts.values(), Resources()))} | |\n")

    lowered = load_graph(arguments.build / "lower" / GRAPH_FILE)
    roomy = larger(board)
    plain = run_passes(lowered, board_passes(board))
    columns: dict[int, dict[str, tuple[int, Resources]]] = {}
    totals: dict[int, Resources] = {}
    for cycles in arguments.cycles:
        found = fold(plain, roomy, target_fps=board.clock_mhz * 1e6 / cycles)
        nodes = planned(found.graph, *board.rooms).nodes
        columns[cycles] = by_kind((node.op.op_type, node.op.resources()) for node in nodes)
        totals[cycles] = found.resources
    print("By the cost model, twice the LUTs on the board; each cell LUT / BRAM18 / DSP:\n")
    print("| operator | " + " | ".join(f"{cycles} cycles" for cycles in columns) + " |")
    print("|---|" + "---|" * len(columns))
    for kind in columns[arguments.cycles[-1]]:
        entries = [c.get(kind, (0, Resources()))[1] for c in columns.values()]
        print(f"| {kind} | " + " | ".join(f"{r.lut:,.0f} / {r.bram18:.0f} / {r.dsp:.0f}" for r in entries) + " |")
    print(
        "| all, with the border | "
        + " | ".join(f"{r.lut:,.0f} / {r.bram18:.0f} / {r.dsp:.0f}" for r in totals.values())
        + " |"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
