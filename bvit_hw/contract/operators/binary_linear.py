"""BinaryLinear: the matrix product of +-1 with +-1."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, product_bounds, signs


class BinaryLinear(Operator):
    """``weights`` rows x cols, +-1."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        return (signs(inputs[0]) @ node.params["weights"].T.astype(np.float32)).astype(np.int64)

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        return product_bounds(node, inputs[0])
