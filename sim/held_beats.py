"""What units that exist to hold beats promise to hold: one that is full too early passes every other check."""

from __future__ import annotations

import math

from bvit_hw.ops.base import HwOp
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.first_token import FirstToken
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.popcount import is_shared, popcount_size
from bvit_hw.ops.prepend_token import PrependToken
from bvit_hw.ops.upsample import Upsample
from bvit_hw.ops.width_converter import WidthConverter


def held_beats(op: HwOp) -> tuple[int, ...] | None:
    """How many beats each input takes while nothing is taken from the outputs, of units with buffers.

    None where that depends on more: of the attention on how many frames' rows fit between its stages.
    """
    match op:
        case Fifo():
            return (op.depth,)
        case Duplicate() | FirstToken() | PrependToken():  # the first beat waits at the input
            return (0,)
        case WidthConverter():
            wide, narrow = op.inputs[0].width, op.outputs[0].width
            if wide % narrow == 0:  # the beat waits at the input
                return (0,)
            if narrow % wide == 0:  # the last part goes through
                return (narrow // wide - 1,)
            return (math.lcm(wide, narrow) // wide,)
        case ChannelRepeat():
            return (_replayed(op.channels // op.pe, op.repeat // op.copies),)
        case Upsample():
            return (_replayed(op.width // op.factor * op.channels // op.pe, op.factor),)
        case PatchGather():
            if op.window_h == 1 or op.window_w == op.width:  # the order stays: one register
                return (1,)
            # Twice what comes before a window's last row, and the register behind.
            return (2 * (op.window_h - 1) * op.width * op.channels // op.pe + 1,)
        case BinaryMVAU():
            stages = 5 + popcount_size(op.simd).stages - int(op.primitives > 0) if is_shared(op.simd) else 3
            return (_passes(op.cols // op.simd, op.rows // op.pe, stages),)
        case IntMVAU() if not op.serial:
            products = op.simd if op.simd > 1 else 0
            stages = 1 + (products if op.use_dsp else 1 + (op.simd - 1).bit_length())
            # Behind block RAM the operands have registers of their own.
            stages += op.target.memories.table_in_block(*op.weight_shape)
            return (_passes(op.cols // op.simd, op.rows // op.pe, stages),)
    return None


def _passes(beats: int, passes: int, stages: int) -> int:
    """A token of so many beats goes through ``stages`` so often: a result is out, the next one stops everything."""
    issued = 2 * beats + stages
    if passes == 1:  # straight from the input
        return issued
    tokens, rest = divmod(issued, passes * beats)
    shown_for_the_last_time = tokens * beats + max(0, rest - (passes - 1) * beats)
    return 2 * beats + shown_for_the_last_time


def _replayed(group: int, plays: int) -> int:
    """Two groups; a beat that is played once leaves the memory for the register behind it."""
    return 2 * group + int(plays == 1)
