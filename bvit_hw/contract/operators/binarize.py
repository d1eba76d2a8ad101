"""Binarize: a bit for each value, 1 from a threshold of its channel on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator


class Binarize(Operator):
    """``threshold`` (C), which lies in [low, high + 1] of the input."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        return (inputs[0] >= node.params["threshold"]).astype(np.int64)

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        threshold = node.params["threshold"].astype(np.int64)
        yield "difference", inputs[0] + Interval(-threshold, -threshold)
