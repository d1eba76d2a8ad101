"""SpatialPool: sums over windows of tokens."""

from __future__ import annotations

from collections.abc import Iterator

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, windows


class SpatialPool(Operator):
    """A sum, no mean; stride = window."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        found: IntArray = windows(inputs[0], node).sum(axis=(3, 4))
        return found

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        yield "window sum", inputs[0].scaled(node.attrs["window_h"] * node.attrs["window_w"])
