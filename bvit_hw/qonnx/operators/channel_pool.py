"""ChannelPool: Reshape, ReduceSum."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern


class ChannelPool(QonnxOperator):
    """Sum of groups of consecutive channels."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,) = inputs
        cut = (*shape_of(out), node.attrs["group"])
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype_of(x))
        e.node("ReduceSum", [y, e.indices((4,))], out.name, shape_of(out), datatype_of(out), keepdims=0)

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Reshape", "ReduceSum"]:
            return None
        total = pattern.node(pattern.output, "ReduceSum")
        cut = pattern.node(total.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        group = x.channels // out.channels
        shape = (1, out.height, out.width, out.channels, group)
        pattern.expect_shape(cut, shape)
        axes = tuple(pattern.integers(total.input[1]).reshape(-1))
        pattern.expect(axes in ((4,), (-1,)) and not pattern.attribute(total, "keepdims", 1), "must sum the last axis")
        return FrozenNode(op="ChannelPool", inputs=(x.name,), output=out.name, attrs={"group": group})
