"""Pass: deep FIFOs from LUT RAM into RAM blocks, of whichever kind there is the most room for."""

from __future__ import annotations

from bvit_hw.graph.dies import kernels
from bvit_hw.graph.glue import BLOCK_KINDS, block_styles, fifo_op
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.ops.base import Resources


def place_fifos(graph: HwGraph, *rooms: Resources) -> HwGraph:
    """The graph with deep FIFOs in block RAM or UltraRAM, those that save most LUTs for what they take of it first.

    ``rooms`` are what may be taken of both on each die; other kinds are not looked at. A graph that is not cut may take
    all of them, one that is may share a single one. The two are weighed by what is left of them, for whatever else
    wants some has it already. Only FIFOs in LUT RAM move, and only where that saves LUTs.
    """
    parts = kernels(graph) if len(rooms) > 1 else [graph]
    rooms = rooms if len(parts) > 1 else (sum(rooms, Resources()),)
    left, dies = [], {}
    for number, (part, room) in enumerate(zip(parts, rooms, strict=False)):
        spare = room - part.resources()
        left.append({kind: getattr(spare, kind) for kind in BLOCK_KINDS.values()})
        dies.update({node.name: number for node in part.nodes})
    prices = [
        {"bram18": 1.0, "uram": here["bram18"] / here["uram"] if min(here.values()) > 0 else 1.0} for here in left
    ]
    moves = []
    for node in graph.fifos:
        before, depth, die = node.op.resources(), node.op.fifo_depth, dies[node.name]
        if any(getattr(before, kind) for kind in left[die]):
            continue
        stream = node.op.inputs[0]
        for style in block_styles(stream.width, depth, target=graph.target, ultra=left[die]["uram"] > 0):
            moved = fifo_op(stream, depth, style, target=graph.target)
            after, kind = moved.resources(), BLOCK_KINDS[style]
            saved, taken = before.lut - after.lut, getattr(after, kind)
            if saved > 0:
                moves.append((saved / taken / prices[die][kind], node.name, kind, taken, moved))
    ops = {}
    for _, name, kind, taken, moved in sorted(moves, key=lambda move: (-move[0], *move[1:3])):
        here = left[dies[name]]
        if name not in ops and taken <= here[kind]:
            here[kind] -= taken
            ops[name] = moved
    return graph.with_ops(ops)
