"""Switches operators to the cells of the board's FPGA vendor, where they have such a variant."""

from __future__ import annotations

from bvit_hw.boards import Board
from bvit_hw.graph.hw_graph import HwGraph


def with_vendor_cells(graph: HwGraph, board: Board) -> HwGraph:
    """The same graph built for the target of ``board``, of its own cells where the RTL has a variant of them.

    To be applied before folding, since it changes costs; names, streams and cycles stay. The operator itself leaves
    the primitives out at foldings where they would save nothing.
    """
    return graph.on(board.target)
