"""QONNX operators of our own: domain ``bvit_hw.export.ops``, which qonnx finds by importing this module."""

from __future__ import annotations

from typing import Any

import numpy as np
from onnx import NodeProto, helper
from qonnx.core.datatype import DataType
from qonnx.custom_op.base import CustomOp

__all__ = ["BinaryAttention"]

#: the ONNX domain, the module's own name
DOMAIN = __name__


class BinaryAttention(CustomOp):
    """Rows of attention decided in integers (docs/contract.md, BinaryAttention).

    Inputs: queries N x H x W x C, keys and values N x h x w x C, all -1 / +1; ``table`` (d + 1) and ``threshold``
    (scalar), integers held as float32 like all in QONNX. Output N x H x W x C: for each head the sum of the values of
    the keys attended. Both sums of the rule are 64-bit integers: they go beyond what float32 holds exactly.
    """

    def get_nodeattr_types(self) -> dict[str, tuple[Any, ...]]:
        return {"heads": ("i", True, 1), "table_bits": ("i", True, 15), "table_shift": ("i", True, 16)}

    def make_shape_compatible_op(self, model: Any) -> NodeProto:
        return helper.make_node("Identity", [self.onnx_node.input[0]], [self.onnx_node.output[0]])

    def infer_node_datatype(self, model: Any) -> None:
        keys = model.get_tensor_shape(self.onnx_node.input[1])
        count = int(keys[1] * keys[2])
        model.set_tensor_datatype(self.onnx_node.output[0], DataType[f"INT{count.bit_length() + 1}"])

    def verify_node(self) -> list[str]:
        return []

    def execute_node(self, context: dict[str, np.ndarray], graph: Any) -> None:
        heads = self.get_nodeattr("heads")
        q, k, v, table, threshold = (context[name] for name in self.onnx_node.input)
        dim = q.shape[-1] // heads

        def split(x: np.ndarray) -> np.ndarray:
            """Images x heads x tokens x dim."""
            return x.reshape(len(x), -1, heads, dim).transpose(0, 2, 1, 3).astype(np.int64)

        queries, keys, values = split(q), split(k), split(v)
        equal = (queries @ keys.transpose(0, 1, 3, 2) + dim) // 2
        entries = np.rint(table).astype(np.int64)[equal]
        limit = int(np.rint(threshold)) * entries.sum(axis=3, keepdims=True)
        attended = (entries << self.get_nodeattr("table_shift")) > limit
        out = attended.astype(np.int64) @ values
        context[self.onnx_node.output[0]] = out.transpose(0, 2, 1, 3).reshape(q.shape).astype(np.float32)
