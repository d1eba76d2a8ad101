"""ChannelRepeat: whole copies of the channels, one after the other."""

from __future__ import annotations

import numpy as np

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class ChannelRepeat(Operator):
    """y[r*C + c] = x[c]."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        return np.tile(inputs[0], (1, 1, 1, node.attrs["repeat"]))
