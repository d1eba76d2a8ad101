"""PatchGather: the values of a window become the channels of one token."""

from __future__ import annotations

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, windows


class PatchGather(Operator):
    """Channels in the order (ky, kx, c); stride = window."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        cut = windows(inputs[0], node)
        return cut.reshape(*cut.shape[:3], -1)
