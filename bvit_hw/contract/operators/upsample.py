"""Upsample: each token in a square of its copies."""

from __future__ import annotations

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class Upsample(Operator):
    """Nearest neighbour: y(Y, X) = x(Y div factor, X div factor)."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        factor = node.attrs["factor"]
        return inputs[0].repeat(factor, axis=1).repeat(factor, axis=2)
