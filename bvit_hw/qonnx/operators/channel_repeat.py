"""ChannelRepeat: Tile."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern


class ChannelRepeat(QonnxOperator):
    """Whole copies of the channels."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        repeats = e.indices((1, 1, 1, node.attrs["repeat"]))
        e.node("Tile", [inputs[0].name, repeats], out.name, shape_of(out), datatype_of(out))

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Tile"]:
            return None
        tile = pattern.node(pattern.output, "Tile")
        repeats = tuple(int(r) for r in pattern.integers(tile.input[1]))
        pattern.expect(repeats[:3] == (1, 1, 1) and len(repeats) == 4, f"Tile by {repeats}: only channels may repeat")
        x = pattern.tensor(tile.input[0])
        return FrozenNode(op="ChannelRepeat", inputs=(x.name,), output=pattern.output, attrs={"repeat": repeats[3]})
