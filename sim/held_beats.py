"""What units that exist to hold beats promise to hold: one that is full too early passes every other check."""

from __future__ import annotations

import math

from bvit_hw.ops.base import HwOp
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.width_converter import WidthConverter


def held_beats(op: HwOp) -> tuple[int, ...] | None:
    """How many beats each input takes while nothing is taken from the outputs, of units that exist to hold beats."""
    match op:
        case Fifo():
            return (op.depth,)
        case Duplicate():
            return (0,)
        case WidthConverter():
            wide, narrow = op.inputs[0].width, op.outputs[0].width
            if wide % narrow == 0:  # the beat waits at the input
                return (0,)
            if narrow % wide == 0:  # the last part goes through
                return (narrow // wide - 1,)
            return (math.lcm(wide, narrow) // wide,)
    return None
