"""Passes: window sums (depthwise convolutions with ones) -> SpatialPool, MultiPool; group sums -> ChannelPool."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from bvit_hw.contract import FrozenNode
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.lower.pattern import Pattern
from bvit_hw.lower.rewrite import LoweringPass

_TO_NCHW = (0, 3, 1, 2)
_TO_NHWC = (0, 2, 3, 1)


def _transposed(pattern: Pattern, tensor: str, perm: tuple[int, ...]) -> str:
    node = pattern.node(tensor, "Transpose")
    pattern.expect(pattern.attribute(node, "perm") == perm, f"{node.name} must have perm {perm}")
    return str(node.input[0])


def _window(pattern: Pattern, conv: NodeProto, channels: int) -> tuple[int, int]:
    """Window of a depthwise convolution whose weights are all 1."""
    weights = pattern.constant(conv.input[1])
    kernel = pattern.attribute(conv, "kernel_shape")
    pattern.expect(
        weights.shape == (channels, 1, *kernel) and bool(np.all(weights == 1)) and len(conv.input) == 2,
        f"{conv.name} must have weights 1 of shape {(channels, 1, *kernel)} and no bias",
    )
    pattern.expect(pattern.attribute(conv, "group") == channels, f"{conv.name} must be depthwise")
    return int(kernel[0]), int(kernel[1])


class InferSpatialPool(LoweringPass):
    """Window sum with stride = window."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["Transpose", "Conv", "Transpose"]:
            return None
        conv = pattern.node(_transposed(pattern, pattern.output, _TO_NHWC), "Conv")
        x = pattern.tensor(_transposed(pattern, conv.input[0], _TO_NCHW))
        window = _window(pattern, conv, x.channels)
        pattern.expect(pattern.attribute(conv, "strides") == window, "strides must equal the window")
        pattern.expect(not any(pattern.attribute(conv, "pads", (0,))), "there must be no padding")
        return FrozenNode(
            op="SpatialPool",
            inputs=(x.name,),
            output=pattern.output,
            attrs={"window_h": window[0], "window_w": window[1]},
        )


class InferMultiPool(LoweringPass):
    """Four zero-padded window sums, scaled by channel, added, requantized."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if not pattern.op_types or pattern.op_types[-1] != "Quant" or "Conv" not in pattern.op_types:
            return None
        out = pattern.out()
        scaled, bits = pattern.quant(pattern.output)
        pattern.expect(bits == out.bits, f"Quant to {bits} bits, but the datatype has {out.bits}")
        t, shift = pattern.scaled(scaled)
        data, bias = pattern.split(pattern.node(t, "Add"))
        total = _transposed(pattern, data, _TO_NHWC)
        terms: list[str] = []
        while pattern.produced_by(total, "Add"):
            total, last = pattern.node(total, "Add").input
            terms.insert(0, last)
        terms.insert(0, total)
        pattern.expect(len(terms) == len(WINDOWS), f"{len(terms)} branches, must be {len(WINDOWS)}")
        rows, sources, coef_bits = [], set(), 8
        for term, window in zip(terms, WINDOWS.values(), strict=True):
            y, coef = pattern.split(pattern.node(term, "Mul"))
            conv = pattern.node(y, "Conv")
            found = _window(pattern, conv, out.channels)
            pads = (window[0] // 2, window[1] // 2) * 2
            pattern.expect(found == window, f"window {found} where {window} is due")
            pattern.expect(pattern.attribute(conv, "pads") == pads, f"{conv.name} must have pads {pads}")
            pattern.expect(pattern.attribute(conv, "strides", (1, 1)) == (1, 1), f"{conv.name} must have stride 1")
            sources.add(_transposed(pattern, conv.input[0], _TO_NCHW))
            rows.append(pattern.integers(coef).reshape(-1))
            coef_bits = pattern.model.get_tensor_datatype(coef).bitwidth()
        pattern.expect(len(sources) == 1, f"branches read {sorted(sources)}, must be one tensor")
        return FrozenNode(
            op="MultiPool",
            inputs=(pattern.tensor(sources.pop()).name,),
            output=out.name,
            attrs={"coef_bits": coef_bits, "out_shift": -shift},
            params={"coef": np.stack(rows), "bias": pattern.integers(bias).reshape(-1)},
        )


class InferChannelPool(LoweringPass):
    """Sum of groups of consecutive channels."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        if pattern.op_types != ["Reshape", "ReduceSum"]:
            return None
        total = pattern.node(pattern.output, "ReduceSum")
        cut = pattern.node(total.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        group = x.channels // out.channels
        shape = (1, out.height, out.width, out.channels, group)
        pattern.expect_shape(cut, shape)
        axes = tuple(pattern.integers(total.input[1]).reshape(-1))
        pattern.expect(axes in ((4,), (-1,)) and not pattern.attribute(total, "keepdims", 1), "must sum the last axis")
        return FrozenNode(op="ChannelPool", inputs=(x.name,), output=out.name, attrs={"group": group})
