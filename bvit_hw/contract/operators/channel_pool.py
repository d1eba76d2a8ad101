"""ChannelPool: sums over groups of consecutive channels."""

from __future__ import annotations

from collections.abc import Iterator

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class ChannelPool(Operator):
    """A sum of ``group`` channels, no mean."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        x = inputs[0]
        found: IntArray = x.reshape(*x.shape[:3], -1, node.attrs["group"]).sum(axis=4)
        return found

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        yield "group sum", inputs[0].scaled(node.attrs["group"])
