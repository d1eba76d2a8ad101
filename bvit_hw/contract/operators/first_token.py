"""FirstToken: the first token alone."""

from __future__ import annotations

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class FirstToken(Operator):
    """y(0, 0) = x(0, 0)."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        return inputs[0][:, :1, :1]
