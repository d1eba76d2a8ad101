"""IntLinear: the matrix product of integers with integer weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, product_bounds


class IntLinear(Operator):
    """``weights`` rows x cols of ``weight_bits``."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        # Exact, for no sum reaches 2**53, and BLAS is fast in it.
        return (inputs[0].astype(np.float64) @ node.params["weights"].T.astype(np.float64)).astype(np.int64)

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        return product_bounds(node, inputs[0])
