"""SpatialPool: Transpose, depthwise Conv with ones, Transpose."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import TO_NCHW, TO_NHWC, QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.operators.windows import read_window, transposed, write_window_sum
from bvit_hw.qonnx.pattern import Pattern


class SpatialPool(QonnxOperator):
    """Window sum with stride = window."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,) = inputs
        window = (node.attrs["window_h"], node.attrs["window_w"])
        planes = (1, x.channels, x.height, x.width)
        y = e.node("Transpose", [x.name], f"{out.name}/nchw", planes, datatype_of(x), perm=TO_NCHW)
        pooled = (1, out.channels, out.height, out.width)
        y = write_window_sum(e, y, f"{out.name}/sum", pooled, window, window, (0, 0, 0, 0))
        e.node("Transpose", [y], out.name, shape_of(out), datatype_of(out), perm=TO_NHWC)

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Transpose", "Conv", "Transpose"]:
            return None
        conv = pattern.node(transposed(pattern, pattern.output, TO_NHWC), "Conv")
        x = pattern.tensor(transposed(pattern, conv.input[0], TO_NCHW))
        window = read_window(pattern, conv, x.channels)
        pattern.expect(pattern.attribute(conv, "strides") == window, "strides must equal the window")
        pattern.expect(not any(pattern.attribute(conv, "pads", (0,))), "there must be no padding")
        return FrozenNode(
            op="SpatialPool",
            inputs=(x.name,),
            output=pattern.output,
            attrs={"window_h": window[0], "window_w": window[1]},
        )
