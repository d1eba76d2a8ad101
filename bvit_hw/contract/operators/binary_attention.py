"""BinaryAttention: for each query the sum of the values of the keys that it attends."""

from __future__ import annotations

import numpy as np

from ..interval import IntArray
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, signs


class BinaryAttention(Operator):
    """Queries N x C, keys and values M x C; head h owns C / heads channels. All levels compute it in 64 bits."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        q, _, v = inputs
        context: IntArray = (self.attended(node, *inputs).astype(np.float32) @ _heads(v, node)).astype(np.int64)
        return context.transpose(0, 2, 1, 3).reshape(q.shape)

    @staticmethod
    def attended(node: FrozenNode, *inputs: IntArray) -> np.ndarray:
        """Which keys each query attends: bool, N x heads x queries x keys."""
        queries, keys = _heads(inputs[0], node), _heads(inputs[1], node)
        equal = ((queries @ keys.transpose(0, 1, 3, 2)).astype(np.int64) + queries.shape[3]) >> 1
        entries = node.params["table"].reshape(-1)[equal]
        limit = node.params["threshold"] * entries.sum(axis=3, keepdims=True)
        found: np.ndarray = (entries << node.attrs["table_shift"]) > limit
        return found


def _heads(bits: IntArray, node: FrozenNode) -> np.ndarray:
    """N x H x W x C bits to N x heads x tokens x C/heads, -1 / +1."""
    heads = node.attrs["heads"]
    return signs(bits).reshape(len(bits), -1, heads, bits.shape[3] // heads).transpose(0, 2, 1, 3)
