"""What each operator of the contract says of itself: the integers that it gives, and how far they can reach."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor


class Operator(ABC):
    """One kind of node of docs/contract.md; the class is called like the kind."""

    @abstractmethod
    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """The output, N x H x W x C, of inputs of that layout, all int64; bits as 0 / 1."""

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """Every named intermediate that float32 has to hold exactly, with its bounds, in the order of execution."""
        yield "value", inputs[0]


def windows(x: IntArray, node: FrozenNode) -> IntArray:
    """N x H x W x C to N x H/h x W/w x h x w x C, h and w of ``node``."""
    height, width = node.attrs["window_h"], node.attrs["window_w"]
    images, rows, cols, channels = x.shape
    cut = x.reshape(images, rows // height, height, cols // width, width, channels)
    return cut.transpose(0, 1, 3, 2, 4, 5)


def rounded(x: IntArray, node: FrozenNode, out: FrozenTensor) -> IntArray:
    """``x``, its half added already, shifted right by the node's ``out_shift`` and saturated to ``out``."""
    high = 1 << (out.bits - 1)
    found: IntArray = np.clip(x >> node.attrs["out_shift"], -high, high - 1)
    return found


def signs(bits: IntArray) -> np.ndarray:
    """Bits as -1 / +1 in float32: sums of them are exact in it, and BLAS is fast in it."""
    return (2 * bits - 1).astype(np.float32)


def product_bounds(node: FrozenNode, x: Interval) -> Iterator[tuple[str, Interval]]:
    """Bounds of any partial sum of a matrix product, in whatever order it is added up."""
    weights = node.params["weights"].astype(np.int64)
    zero = np.int64(0)
    low = np.minimum(np.minimum(weights * x.low, weights * x.high), zero).sum(axis=1)
    high = np.maximum(np.maximum(weights * x.low, weights * x.high), zero).sum(axis=1)
    yield "sum of products", Interval(low, high)
