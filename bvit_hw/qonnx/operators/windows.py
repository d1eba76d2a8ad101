"""Sums over windows in ONNX: depthwise convolutions with ones, channels first."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto

from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.pattern import Pattern


def write_window_sum(
    e: Emitter, x: str, output: str, shape: tuple[int, ...], window: tuple[int, int], stride: tuple[int, int],
    pads: tuple[int, int, int, int],
) -> str:  # fmt: skip
    """Depthwise convolution with ones in NCHW; ``shape`` is the output's."""
    channels = shape[1]
    ones = e.constant(f"ones/{channels}x{window[0]}x{window[1]}", np.ones((channels, 1, *window), dtype=np.float32))
    return e.node("Conv", [x, ones], output, shape, kernel_shape=window, strides=stride, pads=pads, group=channels)


def read_window(pattern: Pattern, conv: NodeProto, channels: int) -> tuple[int, int]:
    """Window of a depthwise convolution whose weights are all 1."""
    weights = pattern.constant(conv.input[1])
    kernel = pattern.attribute(conv, "kernel_shape")
    pattern.expect(
        weights.shape == (channels, 1, *kernel) and bool(np.all(weights == 1)) and len(conv.input) == 2,
        f"{conv.name} must have weights 1 of shape {(channels, 1, *kernel)} and no bias",
    )
    pattern.expect(pattern.attribute(conv, "group") == channels, f"{conv.name} must be depthwise")
    return int(kernel[0]), int(kernel[1])


def transposed(pattern: Pattern, tensor: str, perm: tuple[int, ...]) -> str:
    """The tensor of which ``tensor`` is the Transpose by ``perm``."""
    node = pattern.node(tensor, "Transpose")
    pattern.expect(pattern.attribute(node, "perm") == perm, f"{node.name} must have perm {perm}")
    return str(node.input[0])
