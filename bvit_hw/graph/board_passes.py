"""What a lowered graph goes through for a board before it is folded."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from bvit_hw.boards import Board
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.passes import GraphPass
from bvit_hw.graph.recompute_late import recompute_late
from bvit_hw.graph.vendor_cells import with_vendor_cells


def board_passes(board: Board) -> tuple[GraphPass, ...]:
    """Streams wait where that takes fewest bits; operators get the cells of the board's FPGA, pixels its beats."""
    return (recompute_late, partial(with_vendor_cells, board=board), partial(with_pixel_beats, board=board))


def with_pixel_beats(graph: HwGraph, board: Board) -> HwGraph:
    """The graph with beats at its input as wide as the host's side of ``board`` has them."""
    return replace(graph, pixel_bytes=board.pixel_bytes)
