"""PatchGather: Reshape, Transpose, Reshape."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern


class PatchGather(QonnxOperator):
    """Windows beside each other become one token."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,) = inputs
        kh, kw = node.attrs["window_h"], node.attrs["window_w"]
        datatype = datatype_of(x)
        # A window's row is contiguous in NHWC: its columns and channels stay one axis.
        cut = (1, out.height, kh, out.width, kw * x.channels)
        moved = (1, out.height, out.width, kh, kw * x.channels)
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype)
        y = e.node("Transpose", [y], f"{out.name}/moved", moved, datatype, perm=(0, 1, 3, 2, 4))
        e.reshape(y, out.name, shape_of(out), datatype)

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Reshape", "Transpose", "Reshape"]:
            return None
        last = pattern.node(pattern.output, "Reshape")
        move = pattern.node(last.input[0], "Transpose")
        cut = pattern.node(move.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        kh, kw = x.height // out.height, x.width // out.width
        shape = (1, out.height, kh, out.width, kw * x.channels)
        pattern.expect_shape(cut, shape)
        pattern.expect(pattern.attribute(move, "perm") == (0, 1, 3, 2, 4), "Transpose must have perm (0, 1, 3, 2, 4)")
        pattern.expect(out.channels == kh * kw * x.channels, f"{out.channels} channels from {kh} x {kw} windows")
        return FrozenNode(op="PatchGather", inputs=(x.name,), output=out.name, attrs={"window_h": kh, "window_w": kw})
