"""Operators with HLS templates: fixed samples of every kind, hypothesis strategies."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from bvit_hw.errors import BvitError
from bvit_hw.ops.base import HwOp, Params, divisors
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.channel_affine import ChannelAffine
from bvit_hw.ops.multi_pool import MultiPool

_NORM = {"in_bits": (8,), "multiply": (1,), "shift": (0,), "bias_bits": 14, "out_shift": 5, "out_bits": 8}
_CONTEXT = {
    "in_bits": (12, 8, 8, 8), "multiply": (1, 0, 1, 1), "shift": (0, 3, 2, 0), "bias_bits": 16, "out_bits": 8,
    "prelu": 1, "mid_shift": 4, "slope_bits": 8, "slope_shift": 6, "bias2_bits": 19, "out_shift": 10,
}  # fmt: skip
_POOL = {"in_bits": 8, "coef_bits": 8, "bias_bits": 14, "out_shift": 6, "out_bits": 8, "use_dsp": 1}

#: of every operator: PE = 1 and PE = C, odd grids, one head, 17 keys, 3-token sides; what the benches of rtl/ have too
SAMPLES: tuple[HwOp, ...] = (
    BinaryMVAU(tokens=4, cols=21, rows=6, simd=7, pe=2),
    BinaryMVAU(tokens=3, cols=16, rows=4, simd=1, pe=1),
    BinaryMVAU(tokens=2, cols=96, rows=12, simd=96, pe=12),
    ChannelAffine(tokens=9, channels=12, pe=1, **_NORM),
    ChannelAffine(tokens=9, channels=12, pe=12, bias_tokens=9, **_NORM),
    ChannelAffine(tokens=6, channels=12, pe=4, bias2_tokens=6, **_CONTEXT),
    MultiPool(height=3, width=5, channels=6, pe=1, **_POOL),
    MultiPool(height=3, width=3, channels=6, pe=6, **_POOL),
    MultiPool(height=1, width=4, channels=6, pe=2, **_POOL),
    BinaryAttention(queries=17, keys=17, heads=1, head_dim=8),
    BinaryAttention(queries=9, keys=9, heads=2, head_dim=6, simd=6, kp=9, mp=9, pe=6),
    BinaryAttention(queries=12, keys=6, heads=3, head_dim=8, simd=4, kp=2, mp=3, pe=2),
    BinaryAttention(queries=6, keys=17, heads=2, head_dim=8, simd=2, kp=4, mp=6, pe=4),
)


def samples(rng: np.random.Generator) -> list[tuple[HwOp, Params]]:
    """The samples with random parameters."""
    return [(op, op.random_params(rng)) for op in SAMPLES]


# ---------------------------------------------------------------------- hypothesis

_small = st.integers(1, 7)


@st.composite
def binary_mvaus(draw: st.DrawFn) -> BinaryMVAU:
    """Matrices up to 40 x 12 in every folding."""
    cols, rows = draw(st.integers(1, 40)), draw(st.integers(1, 12))
    return BinaryMVAU(
        tokens=draw(_small), cols=cols, rows=rows,
        simd=draw(st.sampled_from(divisors(cols))), pe=draw(st.sampled_from(divisors(rows))),
    )  # fmt: skip


@st.composite
def channel_affines(draw: st.DrawFn) -> ChannelAffine:
    """One to four inputs, with and without RPReLU, all shifts and widths that the operator accepts."""
    count, channels, tokens = draw(st.integers(1, 4)), draw(st.integers(1, 12)), draw(_small)
    fields = {
        "in_bits": tuple(draw(st.integers(2, 12)) for _ in range(count)),
        "multiply": tuple(draw(st.integers(0, 1)) for _ in range(count)),
        "shift": tuple(draw(st.integers(0, 4)) for _ in range(count)),
        "coef_bits": draw(st.integers(2, 9)),
        "bias_bits": draw(st.integers(1, 16)),
        "bias_tokens": draw(st.sampled_from([1, tokens])),
        "prelu": draw(st.integers(0, 1)),
        "mid_shift": draw(st.integers(0, 6)),
        "slope_bits": draw(st.integers(2, 9)),
        "slope_shift": draw(st.integers(0, 7)),
        "bias2_bits": draw(st.integers(1, 16)),
        "bias2_tokens": draw(st.sampled_from([1, tokens])),
        "out_shift": draw(st.integers(0, 8)),
        "out_bits": draw(st.integers(2, 16)),
        "pe": draw(st.sampled_from(divisors(channels))),
        "use_dsp": draw(st.integers(0, 1)),
    }
    while True:
        try:
            return ChannelAffine(tokens=tokens, channels=channels, **fields)  # type: ignore[arg-type]
        except BvitError:
            # A shift leaves nothing of the sum: the operator refuses that, so shift less.
            for name in ("mid_shift", "out_shift"):
                fields[name] //= 2  # type: ignore[operator]
            fields["shift"] = tuple(s // 2 for s in fields["shift"])  # type: ignore[union-attr]


@st.composite
def multi_pools(draw: st.DrawFn) -> MultiPool:
    """Grids from 1 x 1, smaller than the windows, to 7 x 7."""
    channels = draw(st.integers(1, 12))
    return MultiPool(
        height=draw(_small), width=draw(_small), channels=channels, in_bits=draw(st.integers(2, 10)),
        coef_bits=draw(st.integers(2, 9)), bias_bits=draw(st.integers(1, 16)), out_shift=draw(st.integers(0, 8)),
        out_bits=draw(st.integers(2, 12)), pe=draw(st.sampled_from(divisors(channels))),
        use_dsp=draw(st.integers(0, 1)),
    )  # fmt: skip


@st.composite
def binary_attentions(draw: st.DrawFn) -> BinaryAttention:
    """Up to 20 queries on up to 20 keys, one to three heads, every folding that the operator accepts."""
    keys, head_dim = draw(st.sampled_from([1, 2, 4, 6, 9, 16, 17, 20])), draw(st.sampled_from([1, 2, 4, 6, 8, 12]))
    simd = draw(st.sampled_from(divisors(head_dim)))
    pes = [pe for pe in divisors(head_dim) if pe % simd == 0 or simd % pe == 0]
    return BinaryAttention(
        queries=draw(st.integers(1, 20)), keys=keys, heads=draw(st.integers(1, 3)), head_dim=head_dim,
        table_bits=draw(st.integers(4, 15)), table_shift=draw(st.integers(6, 16)), simd=simd,
        pe=draw(st.sampled_from(pes)), kp=draw(st.integers(1, keys)), mp=draw(st.integers(1, keys)),
    )  # fmt: skip


STRATEGIES = {
    "BinaryMVAU": binary_mvaus(),
    "ChannelAffine": channel_affines(),
    "MultiPool": multi_pools(),
    "BinaryAttention": binary_attentions(),
}
