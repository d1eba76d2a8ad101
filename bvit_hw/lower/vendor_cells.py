"""Switches operators to the cells of the board's FPGA vendor, where they have such a variant."""

from __future__ import annotations

from collections.abc import Mapping

from bvit_hw.boards import Board
from bvit_hw.lower.graph import HwGraph
from bvit_hw.ops.binary_mvau import BinaryMVAU

#: which cells the slices of each family have, as BinaryMVAU numbers them: LUT6_2 with CARRY4, or with CARRY8
PRIMITIVES: Mapping[str, int] = {"zynq-7000": 1, "zynq-ultrascale+": 2, "alveo": 2}


def with_vendor_cells(graph: HwGraph, board: Board) -> HwGraph:
    """The same graph with every BinaryMVAU built of the primitives of ``board``'s family, if it has them.

    To be applied before folding, since it changes costs; names, streams and cycles stay. The operator itself leaves
    the primitives out at foldings where they would save nothing.
    """
    if board.family not in PRIMITIVES:
        return graph
    cells = PRIMITIVES[board.family]
    ops = {n.name: n.op.fold(primitives=cells) for n in graph.nodes if isinstance(n.op, BinaryMVAU)}
    return graph.with_ops(ops)
