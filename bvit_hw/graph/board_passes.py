"""What a lowered graph goes through for a board before it is folded."""

from __future__ import annotations

from functools import partial

from bvit_hw.boards import Board
from bvit_hw.graph.passes import GraphPass
from bvit_hw.graph.recompute_late import recompute_late
from bvit_hw.graph.vendor_cells import with_vendor_cells


def board_passes(board: Board) -> tuple[GraphPass, ...]:
    """Streams wait where that takes fewest bits; operators get the cells of the board's FPGA."""
    return (recompute_late, partial(with_vendor_cells, board=board))
