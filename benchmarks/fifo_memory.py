"""What the FIFOs of a network are kept in on a board, by the cost model and counted by Yosys: one line a kind.

    python benchmarks/fifo_memory.py PRESET BOARD

Random weights, on which neither depends; depths are those that folding estimates. FIFOs of equal shape are counted
once.
"""

from __future__ import annotations

import sys
import tempfile
from dataclasses import asdict
from pathlib import Path

from bvit_hw.boards import load_board
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.graph.stitch_plan import planned
from bvit_hw.models.presets import preset
from bvit_hw.pipeline.report import fifo_memory


def main(name: str, board_name: str) -> None:
    """Fold, count, print a Markdown table."""
    board = load_board(board_name)
    graph = run_passes(hw_graph_of(random_frozen(preset(name), seed=1)), board_passes(board))
    stitched = planned(fold(graph, board).graph, *board.rooms)
    jobs = [job_of(node.name, node.op, node.params) for node in stitched.fifos]
    with tempfile.TemporaryDirectory() as work:
        counts = synthesize(jobs, target=board.target, work=Path(work), processes=1)
    print("| in | FIFOs | bits | resource | model | Yosys |")
    print("|---|---|---|---|---|---|")
    for m in fifo_memory(stitched, {fifo: asdict(count) for fifo, count in counts.items()}):
        print(f"| {m.kind} | {m.fifos:,} | {m.bits:,} | {m.resource} | {m.model:,.0f} | {m.synthesized:,.0f} |")


if __name__ == "__main__":
    main(*sys.argv[1:])
