"""IntLinear: Cast of the stored weights, MatMul."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator
from bvit_hw.qonnx.operators.linear import read_linear, write_linear
from bvit_hw.qonnx.pattern import Pattern


class IntLinear(QonnxOperator):
    """Integer x integer MatMul with constant weights."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        write_linear(e, node, out, f"INT{node.attrs['weight_bits']}")

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        node = read_linear(pattern)
        return node if node is not None and node.op == "IntLinear" else None
