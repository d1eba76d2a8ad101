"""MultiPool: four sums over neighbours, scaled by channel and added, rounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, rounded

#: windows by branch, in rows and columns, in the order of the coefficients
WINDOWS = {"h3": (3, 1), "w3": (1, 3), "h5": (5, 1), "w5": (1, 5)}


class MultiPool(Operator):
    """``coef`` 4 x C on zero-padded window sums, ``bias`` (C)."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        total = node.params["bias"]
        for coef, (rows, cols) in zip(node.params["coef"], WINDOWS.values(), strict=True):
            up, left = rows // 2, cols // 2
            padded = np.pad(inputs[0], ((0, 0), (up, up), (left, left), (0, 0)))
            shifted = (padded[:, y : y + out.height, x : x + out.width] for y in range(rows) for x in range(cols))
            total = total + coef * sum(shifted)
        return rounded(total, node, out)

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        x, total = inputs[0], None
        for row, (rows, cols) in zip(node.params["coef"].astype(np.int64), WINDOWS.values(), strict=True):
            product = x.joined(Interval(0, 0)).scaled(rows * cols).scaled(row)
            total = product if total is None else total + product
            yield "partial sum", total
        assert total is not None
        bias = Interval.of_constant(node.params["bias"][None, :])
        yield "bias", bias
        yield "sum", total + bias
