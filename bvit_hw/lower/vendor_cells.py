"""Switches operators to the cells of the board's FPGA vendor, where they have such a variant."""

from __future__ import annotations

from bvit_hw.boards import Board
from bvit_hw.lower.graph import HwGraph
from bvit_hw.ops.binary_mvau import BinaryMVAU


def with_vendor_cells(graph: HwGraph, board: Board) -> HwGraph:
    """The same graph with every BinaryMVAU built of the target's own cells, if the RTL has a variant of them.

    To be applied before folding, since it changes costs; names, streams and cycles stay. The operator itself leaves
    the primitives out at foldings where they would save nothing.
    """
    cells = board.target.vendor_cells
    if not cells:
        return graph
    ops = {n.name: n.op.fold(primitives=cells) for n in graph.nodes if isinstance(n.op, BinaryMVAU)}
    return graph.with_ops(ops)
