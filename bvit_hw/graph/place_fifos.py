"""Pass: deep FIFOs from LUT RAM into RAM blocks, of whichever kind there is the most room for."""

from __future__ import annotations

from bvit_hw.graph.glue import BLOCK_KINDS, block_styles, fifo_op
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import Resources


def place_fifos(graph: HwGraph, room: Resources) -> HwGraph:
    """The graph with deep FIFOs in block RAM or UltraRAM, those that save most LUTs for what they take of it first.

    ``room`` is what the graph may take of both; its other kinds are not looked at. The two are weighed by what is left
    of them, for whatever else wants some has it already. Only FIFOs in LUT RAM move, and only where that saves LUTs.
    """
    spare = room - graph.resources()
    left = {kind: getattr(spare, kind) for kind in BLOCK_KINDS.values()}
    price = {"bram18": 1.0, "uram": left["bram18"] / left["uram"] if min(left.values()) > 0 else 1.0}
    moves = []
    for node in graph.fifos:
        before, depth = node.op.resources(), node.op.fifo_depth
        if any(getattr(before, kind) for kind in left):
            continue
        stream = node.op.inputs[0]
        for style in block_styles(stream.width, depth, target=graph.target, ultra=left["uram"] > 0):
            moved = fifo_op(stream, depth, style, target=graph.target)
            after, kind = moved.resources(), BLOCK_KINDS[style]
            saved, taken = before.lut - after.lut, getattr(after, kind)
            if saved > 0:
                moves.append((saved / taken / price[kind], node.name, kind, taken, moved))
    ops = {}
    for _, name, kind, taken, moved in sorted(moves, key=lambda move: (-move[0], *move[1:3])):
        if name not in ops and taken <= left[kind]:
            left[kind] -= taken
            ops[name] = moved
    return graph.with_ops(ops)
