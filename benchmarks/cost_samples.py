"""The circuits whose cost models fit_costs.py fits: operators over shapes and foldings, and what their memories hold.

Contents are uniformly random where nothing else is said, which leaves Yosys nothing to share.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from itertools import chain

import numpy as np

from bvit_hw.contract.attention_rule import score_table, threshold_integer
from bvit_hw.ops.base import HwOp, Params
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
from bvit_hw.ops.pool_common import PoolOp
from bvit_hw.ops.prepend_token import PrependToken
from bvit_hw.ops.spatial_pool import SpatialPool
from bvit_hw.ops.upsample import Upsample
from bvit_hw.ops.width_converter import WidthConverter

#: rows, columns, simd and pe of BinaryMVAU
MVAU_SHAPES: tuple[tuple[int, int, tuple[int, ...], tuple[int, ...]], ...] = (
    (512, 512, (2, 4, 8, 16, 32, 64, 128, 256), (1, 4, 16, 32, 128)),
    (384, 384, (3, 6, 12, 24, 48, 96), (1, 4, 16)),
    (512, 2048, (64,), (32,)),
    (1024, 32, (32,), (8,)),
)


def affines() -> Iterator[ChannelAffine]:
    """The accelerator's kinds of ChannelAffine over foldings of the tiny and the full-size network."""
    norm = {"in_bits": (8,), "multiply": (1,), "shift": (0,), "bias_bits": 17, "out_shift": 7}
    prelu = {"prelu": 1, "mid_shift": 2, "slope_shift": 6, "bias2_bits": 19, "out_shift": 8}
    query = {"in_bits": (7, 8), "multiply": (1, 0), "shift": (0, 5), "bias_bits": 17, **prelu}
    pooled = {"in_bits": (9, 12), "multiply": (1, 1), "shift": (2, 0), "bias_bits": 19, **prelu}
    context = {"in_bits": (12, 8, 8, 8), "multiply": (1, 0, 1, 1), "shift": (0, 3, 2, 0), "bias_bits": 18, **prelu}
    layer_scale = {"in_bits": (8, 8, 10), "multiply": (1, 0, 1), "shift": (0, 7, 3), "bias_bits": 16, "out_shift": 7}
    plain = {"in_bits": (8, 9), "multiply": (0, 0), "shift": (3, 0), "bias_bits": 13, "out_shift": 3}
    for shape in (norm, query, pooled, context, layer_scale, plain):
        for channels, pe in ((32, 1), (32, 4), (64, 8), (64, 1), (128, 1), (256, 1), (1024, 1)):
            for use_dsp in (0, 1) if any(shape["multiply"]) else (0,):  # type: ignore[arg-type]
                yield ChannelAffine(tokens=4, channels=channels, out_bits=8, pe=pe, use_dsp=use_dsp, **shape)  # type: ignore[arg-type]
    for shape in ({**norm, "bias_tokens": 64}, {**query, "bias2_tokens": 64}):
        for channels, pe in ((32, 1), (32, 4), (48, 3)):
            yield ChannelAffine(tokens=64, channels=channels, out_bits=8, pe=pe, use_dsp=1, **shape)  # type: ignore[arg-type]


def binarizes() -> Iterator[Binarize]:
    """Thresholds over depths and widths."""
    for in_bits in (8, 12):
        for channels, pe in ((32, 1), (32, 4), (64, 2), (128, 16), (64, 1), (128, 1), (512, 4), (2048, 1)):
            yield Binarize(tokens=4, channels=channels, in_bits=in_bits, pe=pe)


def int_mvaus() -> Iterator[IntMVAU]:
    """Stem and classifier over foldings."""
    for simd, pe in ((1, 1), (1, 8), (3, 4), (4, 8), (6, 2), (12, 1), (1, 32), (24, 1), (2, 16)):
        for use_dsp in (0, 1):
            yield IntMVAU(tokens=4, cols=48, rows=32, in_bits=8, acc_bits=21, simd=simd, pe=pe, use_dsp=use_dsp)
    for simd, pe in ((1, 1), (4, 2), (16, 1), (2, 10)):
        for use_dsp in (0, 1):
            yield IntMVAU(
                tokens=1, cols=256, rows=10, in_bits=8, in_signed=1, acc_bits=23, simd=simd, pe=pe, use_dsp=use_dsp
            )


def serial_mvaus() -> Iterator[IntMVAU]:
    """The stem without multipliers: weights of the size that the accumulator says, one to four phases."""
    for rows, pe, simd in ((32, 4, 6), (32, 2, 3), (32, 1, 2), (16, 2, 6), (64, 2, 2)):
        for acc_bits in (19, 22):
            yield IntMVAU(
                tokens=4, cols=48, rows=rows, in_bits=8, acc_bits=acc_bits, simd=simd, pe=pe, use_dsp=0, serial=1
            )


def attentions() -> Iterator[BinaryAttention]:
    """The tiny network's stages, the full-size ones, the un-pyramided one, at several foldings (simd, kp, mp, pe)."""
    shapes: list[tuple[tuple[int, int, int, int], list[tuple[int, int, int, int]]]] = [
        ((64, 4, 1, 32), [(4, 1, 4, 4), (8, 1, 2, 16), (8, 2, 4, 8), (16, 4, 4, 16), (2, 1, 1, 32), (32, 4, 4, 32)]),
        ((16, 4, 2, 32), [(2, 1, 4, 2), (4, 1, 4, 4), (8, 2, 2, 8), (4, 1, 1, 16)]),
        ((4, 4, 4, 32), [(1, 1, 4, 1), (2, 1, 2, 2), (4, 2, 4, 4), (8, 1, 1, 2)]),
        ((1, 1, 8, 32), [(1, 1, 1, 1), (4, 1, 1, 4), (32, 1, 1, 32)]),
        ((49, 9, 1, 16), [(2, 3, 9, 2), (4, 9, 3, 8)]),
        ((25, 25, 3, 64), [(4, 1, 5, 8), (8, 5, 25, 4)]),
        ((3136, 49, 1, 64), [(8, 7, 49, 8), (2, 1, 7, 16), (8, 7, 7, 32)]),
        ((784, 49, 2, 64), [(2, 1, 49, 2), (4, 7, 7, 16)]),
        ((196, 196, 4, 64), [(4, 7, 49, 8), (2, 2, 28, 4)]),
        ((49, 49, 8, 64), [(1, 1, 49, 1), (4, 1, 7, 8)]),
        ((197, 197, 6, 64), [(1, 1, 197, 1), (8, 11, 66, 8), (4, 3, 33, 4)]),
        ((17, 17, 2, 16), [(4, 6, 9, 4)]),
    ]
    for (queries, keys, heads, head_dim), foldings in shapes:
        for simd, kp, mp, pe in foldings:
            yield BinaryAttention(
                queries=queries, keys=keys, heads=heads, head_dim=head_dim, simd=simd, kp=kp, mp=mp, pe=pe
            )


def pools() -> Iterator[PoolOp]:
    """The tiny network's shapes over foldings, and some of the full-size one's; ordered by operator."""
    widths = {"in_bits": 8, "coef_bits": 8, "bias_bits": 16, "out_shift": 8, "out_bits": 8}
    shapes = ((8, 32, 1), (8, 32, 4), (8, 32, 16), (4, 64, 1), (4, 64, 8), (2, 128, 1), (2, 128, 8), (1, 256, 2),
              (1, 256, 16), (7, 512, 8), (56, 64, 1), (28, 128, 8))  # fmt: skip
    for side, channels, pe in shapes:
        for use_dsp in (0, 1) if pe <= 8 and side < 28 else (1,):
            yield MultiPool(height=side, width=side, channels=channels, pe=pe, use_dsp=use_dsp, **widths)
    for side, channels, r, pe in (
        (8, 32, 4, 1), (8, 32, 4, 8), (8, 32, 2, 2), (8, 32, 2, 32), (4, 64, 2, 1), (4, 64, 2, 8), (2, 128, 2, 4),
        (2, 128, 2, 16), (56, 64, 8, 1), (56, 64, 2, 4), (28, 128, 4, 8), (7, 512, 7, 8),
    ):  # fmt: skip
        yield SpatialPool(height=side, width=side, channels=channels, window_h=r, window_w=r, in_bits=8, pe=pe)
    for group, pe in ((4, 1), (4, 2), (4, 4), (4, 16), (4, 64), (8, 1), (8, 4), (8, 32), (2, 2), (2, 16)):
        yield ChannelPool(tokens=64, channels=128, group=group, in_bits=8, pe=pe)
    for channels, repeat, pe in ((32, 4, 1), (32, 4, 4), (32, 4, 16), (64, 8, 1), (64, 8, 4), (64, 2, 8), (128, 4, 2),
                                 (128, 2, 32), (256, 4, 1), (512, 4, 4)):  # fmt: skip
        yield ChannelRepeat(tokens=64, channels=channels, repeat=repeat, bits=8, signed=1, pe=pe)
    for side, channels, factor, pe in ((8, 32, 4, 1), (8, 32, 4, 4), (8, 32, 4, 16), (4, 64, 2, 1), (4, 64, 2, 8),
                                       (56, 64, 8, 1), (56, 64, 8, 8), (28, 128, 4, 2), (28, 128, 4, 16)):  # fmt: skip
        yield Upsample(height=side, width=side, channels=channels, factor=factor, bits=8, signed=1, pe=pe)
    for height, width, channels, h, w, bits, pe in (
        (32, 8, 12, 4, 1, 8, 1), (32, 8, 12, 4, 1, 8, 3), (32, 8, 12, 4, 1, 8, 12), (8, 8, 32, 2, 2, 1, 1),
        (8, 8, 32, 2, 2, 1, 8), (8, 8, 32, 2, 2, 1, 32), (4, 4, 64, 2, 2, 1, 4), (4, 4, 64, 2, 2, 8, 8),
        (224, 56, 12, 4, 1, 8, 2), (56, 56, 64, 2, 2, 1, 8), (28, 28, 128, 2, 2, 8, 4), (8, 8, 32, 1, 2, 8, 4),
    ):  # fmt: skip
        yield PatchGather(
            height=height, width=width, channels=channels, window_h=h, window_w=w, bits=bits, signed=0, pe=pe
        )
    with_class_token = ((16, 16, 1), (16, 16, 8), (49, 64, 2), (49, 192, 4), (64, 32, 32), (196, 384, 1), (196, 384, 4),
                        (196, 384, 24))  # fmt: skip
    for tokens, channels, pe in with_class_token:
        yield PrependToken(tokens=tokens, channels=channels, bits=8, signed=1, pe=pe)
    for tokens, channels, pe in with_class_token:
        yield FirstToken(tokens=tokens + 1, channels=channels, bits=8, signed=1, pe=pe)


def binary_mvaus(most: int = 2048) -> Iterator[BinaryMVAU]:
    """Square and other matrices of up to ``most`` products a cycle."""
    for rows, cols, simds, pes in MVAU_SHAPES:
        for simd in simds:
            for pe in pes:
                if pe * simd <= most and not (pe == 128 and simd > 16):
                    yield BinaryMVAU(tokens=1, rows=rows, cols=cols, simd=simd, pe=pe)


def glue() -> Iterator[HwOp]:
    """What stands between operators: FIFOs of every kind, width converters, forks."""
    for channels, depth, style in (
        (8, 2, "small"), (64, 2, "small"), (8, 16, "small"), (32, 16, "small"), (8, 32, "small"), (64, 32, "small"),
        (16, 100, "small"), (8, 64, "small"), (8, 512, "large"), (36, 700, "large"), (72, 2048, "large"),
    ):  # fmt: skip
        yield Fifo(tokens=4, channels=channels, bits=1, signed=False, pe=channels, depth=depth, style=style)
    for lanes_in, lanes_out, bits in (
        (1, 4, 8), (2, 16, 1), (4, 1, 8), (16, 2, 1), (32, 4, 8), (3, 4, 8), (4, 6, 8), (16, 24, 1),
    ):  # fmt: skip
        yield WidthConverter(tokens=4, channels=96, bits=bits, signed=False, lanes_in=lanes_in, lanes_out=lanes_out)
    for copies in (2, 3, 5):
        yield Duplicate(tokens=4, channels=16, bits=8, signed=True, copies=copies, pe=2)


def samples() -> Iterator[HwOp]:
    """All of them."""
    yield from chain(
        affines(), binarizes(), int_mvaus(), serial_mvaus(), attentions(), pools(), glue(), binary_mvaus()
    )


def params_of(op: HwOp) -> Params:
    """What the operator is counted with."""
    if isinstance(op, BinaryAttention):
        # the frozen model's table; a key is attended when its probability exceeds an average key's
        return {"table": score_table(op.head_dim, op.table_bits), "threshold": np.int64(threshold_integer(2 / op.keys))}
    if isinstance(op, MultiPool):
        return op.random_params(np.random.default_rng(op.channels + op.pe))
    if isinstance(op, BinaryMVAU):
        return op.random_params(np.random.default_rng(0))
    rng = np.random.default_rng(zlib.crc32(name_of(op).encode()))
    if isinstance(op, IntMVAU) and op.serial:
        limit = 1 << (op.weight_bits - 1)
        # Weights are normal as a trained network's are, with the largest sum just inside the accumulator.
        drawn = rng.standard_normal((op.rows, op.cols))
        most = max(np.maximum(drawn, 0).sum(axis=1).max(), -np.minimum(drawn, 0).sum(axis=1).min())
        scaled = drawn * ((1 << (op.acc_bits - 1)) / 256 / most)
        return {"weights": np.clip(np.trunc(scaled), -limit, limit - 1).astype(np.int64)}
    return op.random_params(rng)


def name_of(op: HwOp) -> str:
    """A short name of a configuration; random contents are drawn by it."""
    return f"{op.op_type} {_label(op)}"


def _label(op: HwOp) -> str:
    if isinstance(op, ChannelAffine):
        tokens = f" bias x{op.bias_tokens}/{op.bias2_tokens}" if op.bias_tokens + op.bias2_tokens > 2 else ""
        inputs = ",".join(f"{b}{'*' if m else ''}" for b, m in zip(op.in_bits, op.multiply, strict=True))
        return f"C={op.channels} in={inputs} prelu={op.prelu} pe={op.pe} dsp={op.use_dsp}{tokens}"
    if isinstance(op, Binarize):
        return f"C={op.channels} in={op.in_bits} pe={op.pe}"
    if isinstance(op, IntMVAU):
        style = f"serial acc={op.acc_bits}" if op.serial else f"dsp={op.use_dsp}"
        return f"{op.rows}x{op.cols} pe={op.pe} simd={op.simd} {style}"
    return " ".join(f"{key}={value}" for key, value in op.attributes().items())
