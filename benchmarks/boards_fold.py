"""What the folding finds for every board: cycles a frame, what limits it, predicted resources, or why nothing fits.

    python benchmarks/boards_fold.py [--as-built] [PRESET [BOARD ...]]

With --as-built some LUTs are left alone, as `bvit-hw build` does for what FIFO sizing finds.
The network has random weights, on which neither cycles nor cost depend.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from machine import processor

from bvit_hw.boards import board_names, load_board
from bvit_hw.errors import FoldingError
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.board_passes import board_passes
from bvit_hw.graph.dies import kernels
from bvit_hw.graph.folding import fold
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.passes import run_passes
from bvit_hw.models.presets import preset
from bvit_hw.pipeline.steps.fold import with_margin

HEADS = "| board | MHz | cycles a frame | frames/s | LUT | FF | BRAM18 | URAM | DSP | kernels | limited by | seconds |"


def main(name: str, boards: Sequence[str], *, as_built: bool) -> None:
    """Print one line a board (all, where none is named), as Markdown."""
    graph = hw_graph_of(random_frozen(preset(name), seed=1))
    print(f"{name}; {processor()}\n")
    print(HEADS)
    print("|" + 12 * "---|")
    for board in map(load_board, boards or board_names()):
        start = time.process_time()
        try:
            result = fold(run_passes(graph, board_passes(board)), with_margin(board) if as_built else board)
        except FoldingError as error:
            print(f"| {board.name} | {board.clock_mhz:g} | {str(error).removeprefix('bvit: ')} |", flush=True)
            continue
        r, seconds, rate = result.resources, time.process_time() - start, board.clock_mhz * 1e6 / result.cycles
        print(
            f"| {board.name} | {board.clock_mhz:g} | {result.cycles:,} | {rate:,.0f} | "
            f"{r.lut:,.0f} | {r.ff:,.0f} | {r.bram18:,.0f} | {r.uram:,.0f} | {r.dsp:,.0f} | "
            f"{len(kernels(result.graph))} | {result.limited_by} | {seconds:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if word != "--as-built"]
    main(words[0] if words else "tiny-digits", words[1:], as_built="--as-built" in sys.argv)
