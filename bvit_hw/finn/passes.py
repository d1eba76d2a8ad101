"""The lowering passes, one for each kind of the contract's nodes that has a hardware operator.

What a pass recognises is what the kind's file in bvit_hw/qonnx/operators reads.
"""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.finn.rewrite import LoweringPass


class InferPatchGather(LoweringPass):
    """Windows beside each other become one token."""

    kind = "PatchGather"


class InferIntMVAU(LoweringPass):
    """Integer x integer MatMul with constant weights."""

    kind = "IntLinear"


class InferBinaryMVAU(LoweringPass):
    """Bipolar x bipolar MatMul."""

    kind = "BinaryLinear"


class InferBinarize(LoweringPass):
    """A threshold by channel, then the sign."""

    kind = "Binarize"


class InferMultiPool(LoweringPass):
    """Four zero-padded window sums, scaled by channel, added, requantized."""

    kind = "MultiPool"


class InferSpatialPool(LoweringPass):
    """Window sum with stride = window."""

    kind = "SpatialPool"


class InferChannelPool(LoweringPass):
    """Sum of groups of consecutive channels."""

    kind = "ChannelPool"


class InferChannelRepeat(LoweringPass):
    """Whole copies of the channels."""

    kind = "ChannelRepeat"


class InferUpsample(LoweringPass):
    """Nearest neighbour."""

    kind = "Upsample"


class InferBinaryAttention(LoweringPass):
    """One node of our own domain."""

    kind = "BinaryAttention"


class InferChannelAffine(LoweringPass):
    """One or several streams scaled, added, perhaps through an RPReLU, and requantized."""

    kind = "ChannelAffine"


PASSES: Sequence[type[LoweringPass]] = (
    InferPatchGather,
    InferIntMVAU,
    InferBinaryMVAU,
    InferBinarize,
    InferMultiPool,
    InferSpatialPool,
    InferChannelPool,
    InferChannelRepeat,
    InferUpsample,
    InferBinaryAttention,
    InferChannelAffine,
)
