"""What holds for the fields of every operator: no shape of nothing, no negative widths, no halves."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import HwOp, Stream
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.channel_pool import ChannelPool
from bvit_hw.ops.channel_repeat import ChannelRepeat
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.int_mvau import IntMVAU
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.ops.patch_gather import PatchGather
from bvit_hw.ops.registry import operators
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.upsample import Upsample
from bvit_hw.ops.width_converter import WidthConverter

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
    IntMVAU(tokens=4, cols=6, rows=4, in_bits=5, acc_bits=16),
    MultiPool(
        height=4, width=4, channels=6, in_bits=5, coef_bits=4, bias_bits=8, out_shift=2, out_bits=6, pe=2, use_dsp=1
    ),
    PatchGather(height=4, width=4, channels=6, window_h=2, window_w=2, bits=3, signed=0, pe=2),
    SpatialPool(height=4, width=4, channels=6, window_h=2, window_w=2, in_bits=5, pe=2),
    Upsample(height=4, width=4, channels=6, factor=2, bits=3, signed=0, pe=2),
    WidthConverter(tokens=4, channels=6, bits=3, signed=True, lanes_in=2, lanes_out=3),
)
NUMBERS = [
    pytest.param(op, f.name, id=f"{op.op_type}-{f.name}")
    for op in OPS
    for f in fields(op)
    if not isinstance(getattr(op, f.name), (bool, str))
]


def test_every_operator_is_here() -> None:
    assert [op.op_type for op in OPS] == sorted(operators())


@pytest.mark.parametrize(("op", "name"), NUMBERS)
def test_numbers_have_a_least_value(op: HwOp, name: str) -> None:
    """One below the least is refused by name: -1, and 0 too where the field is no shift, flag or folding."""
    given = getattr(op, name)
    bad = [-1] if name in (*op.zero_fields, *op.folding_fields) else [-1, 0]
    for value in bad:
        with pytest.raises((ConfigError, FoldingError), match=f"(lanes|{name})=\\(?{value}"):
            replace(op, **{name: (value, *given[1:]) if isinstance(given, tuple) else value})


@pytest.mark.parametrize(("op", "name"), NUMBERS)
def test_numbers_are_integers(op: HwOp, name: str) -> None:
    given = getattr(op, name)
    for value in (2.5, None):
        with pytest.raises(ConfigError, match=f"{name}=.*; allowed: integers"):
            replace(op, **{name: (value, *given[1:]) if isinstance(given, tuple) else value})


@pytest.mark.parametrize("name", ["tokens", "channels", "bits"])
def test_streams_of_nothing(name: str) -> None:
    shape = {"tokens": 4, "channels": 6, "lanes": 2, "bits": 3, "signed": False}
    with pytest.raises(ConfigError, match=f"stream: {name}=0; allowed: 1 or more"):
        Stream(**{**shape, name: 0})
    with pytest.raises(ConfigError, match="signed=2; allowed: 0 or 1"):
        Stream(**{**shape, "signed": 2})


def test_serial_products_want_two_bits() -> None:
    """One bit has no bit after another; the refusal says that, not that 4 rows are no multiple of 1."""
    with pytest.raises(FoldingError, match="serial with in_bits=1; allowed: 2 or more bits, or serial 0"):
        IntMVAU(tokens=4, cols=6, rows=4, in_bits=1, acc_bits=16, use_dsp=0, serial=1)
    assert IntMVAU(tokens=4, cols=6, rows=4, in_bits=1, acc_bits=16).cycles == 4 * 4 * 6
