"""Small hardware operators of every kind, for what holds for all of them."""

from __future__ import annotations

from bvit_hw.ops.base import HwOp
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.channel_pool import ChannelPool
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.first_token import FirstToken
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.prepend_token import PrependToken
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.stream_register import StreamRegister
from bvit_hw.ops.upsample import Upsample
from bvit_hw.ops.width_converter import WidthConverter
from bvit_hw.targets.xcup import TARGET as XCUP

#: one of each kind, by name
OPS: tuple[HwOp, ...] = (
    Binarize(tokens=4, channels=6, in_bits=5),
    BinaryAttention(queries=4, keys=4, heads=2, head_dim=8),
    BinaryMVAU(tokens=4, cols=6, rows=4, simd=2, pe=2),
    ChannelAffine(
        tokens=4, channels=6, in_bits=(5, 6), multiply=(0, 1), shift=(1, 0), bias_bits=6, out_shift=2, out_bits=5
    ),
    ChannelPool(tokens=4, channels=6, group=3, in_bits=5, pe=1),
    ChannelRepeat(tokens=4, channels=6, repeat=2, bits=3, signed=1, pe=2),
    Duplicate(tokens=4, channels=6, bits=5, signed=True, copies=3, pe=2),
    Fifo(tokens=4, channels=6, bits=5, signed=False, pe=2),
    FirstToken(tokens=5, channels=6, bits=5, signed=1, pe=2),
    IntMVAU(tokens=4, cols=6, rows=4, in_bits=5, acc_bits=16),
    MultiPool(
        height=4, width=4, channels=6, in_bits=5, coef_bits=4, bias_bits=8, out_shift=2, out_bits=6, pe=2, use_dsp=1
    ),
    PatchGather(height=4, width=4, channels=6, window_h=2, window_w=2, bits=3, signed=0, pe=2),
    PrependToken(tokens=4, channels=6, bits=5, signed=1, pe=2),
    SpatialPool(height=4, width=4, channels=6, window_h=2, window_w=2, in_bits=5, pe=2),
    StreamRegister(tokens=4, channels=6, bits=5, signed=True, pe=3),
    Upsample(height=4, width=4, channels=6, factor=2, bits=3, signed=0, pe=2),
    WidthConverter(tokens=4, channels=6, bits=3, signed=True, lanes_in=2, lanes_out=3),
)
#: variants that are built, packed or stored in another way
VARIANTS: tuple[HwOp, ...] = (
    Binarize(tokens=3, channels=1, in_bits=1),
    BinaryAttention(queries=3, keys=6, heads=1, head_dim=18, table_bits=7, table_shift=5, simd=6, kp=2, mp=3, pe=2),
    BinaryAttention(
        queries=2, keys=40, heads=2, head_dim=6, table_bits=7, table_shift=5, simd=3, mp=8, pe=3, ultra=1, target=XCUP
    ),
    BinaryMVAU(tokens=2, cols=48, rows=4, simd=24, pe=2, primitives=1),
    ChannelAffine(
        tokens=3, channels=4, in_bits=(5, 3), multiply=(1, 1), shift=(0, 2), coef_bits=5, bias_bits=9, bias_tokens=3,
        prelu=1, mid_shift=2, slope_bits=5, slope_shift=3, bias2_bits=8, bias2_tokens=3, out_shift=3, out_bits=7, pe=2,
        use_dsp=0,
    ),
    ChannelPool(tokens=2, channels=12, group=4, in_bits=1, pe=2),
    ChannelRepeat(tokens=1, channels=1, repeat=3, bits=1, signed=0, pe=1),
    Duplicate(tokens=1, channels=8, bits=1, signed=False, copies=8, pe=8),
    Fifo(tokens=64, channels=8, bits=9, signed=True, pe=4, depth=300, style="large"),
    Fifo(tokens=64, channels=8, bits=9, signed=True, pe=4, depth=5000, style="ultra", target=XCUP),
    FirstToken(tokens=1, channels=4, bits=1, signed=0, pe=4),
    IntMVAU(tokens=2, cols=7, rows=8, in_bits=4, in_signed=1, weight_bits=5, acc_bits=12, use_dsp=0, serial=1),
    MultiPool(
        height=2, width=1, channels=4, in_bits=3, coef_bits=3, bias_bits=5, out_shift=0, out_bits=3, pe=2, use_dsp=0
    ),
    MultiPool(
        height=3, width=5, channels=4, in_bits=4, coef_bits=3, bias_bits=6, out_shift=1, out_bits=4, pe=1, use_dsp=0,
        ultra=1, target=XCUP,
    ),
    PatchGather(height=2, width=3, channels=2, window_h=2, window_w=3, bits=8, signed=0, pe=1),
    PrependToken(tokens=3, channels=4, bits=3, signed=0, pe=1),
    SpatialPool(height=3, width=3, channels=2, window_h=3, window_w=3, in_bits=4, pe=2),
    StreamRegister(tokens=1, channels=8, bits=1, signed=False, pe=8),
    Upsample(height=6, width=3, channels=2, factor=3, bits=5, signed=1, pe=1),
    WidthConverter(tokens=2, channels=12, bits=1, signed=False, lanes_in=12, lanes_out=3),
)  # fmt: skip
