"""PrependToken: a stored token before all others."""

from __future__ import annotations

import numpy as np

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class PrependToken(Operator):
    """``token`` (C), then the tokens of the input in raster order, in a grid of one row."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        x = inputs[0]
        token = np.broadcast_to(node.params["token"], (len(x), 1, 1, out.channels))
        return np.concatenate((token, x.reshape(len(x), 1, -1, out.channels)), axis=2)
