"""Switches operators to the cells of the board's FPGA vendor, where they have such a variant."""

from __future__ import annotations

from bvit_hw.boards import Board
from bvit_hw.lower.graph import HwGraph
from bvit_hw.ops.binary_mvau import BinaryMVAU

#: families whose slices have LUT6_2 and CARRY4. Not UltraScale+: it has CARRY8 instead, one for eight LUTs, and a
#: CARRY4 of which two positions are used would take a whole one; portable RTL leaves that choice to synthesis.
PRIMITIVE_FAMILIES = frozenset({"zynq-7000"})


def with_vendor_cells(graph: HwGraph, board: Board) -> HwGraph:
    """The same graph with every BinaryMVAU built of the primitives of ``board``'s family, if it has them.

    To be applied before folding, since it changes costs; names, streams and cycles stay. The operator itself leaves
    the primitives out at foldings where they would save nothing.
    """
    if board.family not in PRIMITIVE_FAMILIES:
        return graph
    ops = {n.name: n.op.fold(primitives=1) for n in graph.nodes if isinstance(n.op, BinaryMVAU)}
    return graph.with_ops(ops)
