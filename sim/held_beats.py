"""What units that exist to hold beats promise to hold: one that is full too early passes every other check."""

from __future__ import annotations

import math

from bvit_hw.ops.base import HwOp
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.upsample import Upsample
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
        case ChannelRepeat():
            return (_replayed(op.channels // op.pe, op.repeat),)
        case Upsample():
            return (_replayed(op.width // op.factor * op.channels // op.pe, op.factor),)
        case PatchGather():
            if op.window_h == 1 or op.window_w == op.width:  # the order stays: one register
                return (1,)
            # Twice what comes before a window's last row, and the register behind.
            return (2 * (op.window_h - 1) * op.width * op.channels // op.pe + 1,)
    return None


def _replayed(group: int, plays: int) -> int:
    """Two groups; a beat that is played once leaves the memory for the register behind it."""
    return 2 * group + int(plays == 1)
