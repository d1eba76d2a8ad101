"""Upsample: Reshape, Tile, Reshape."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern


class Upsample(QonnxOperator):
    """Nearest neighbour."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,), factor = inputs, node.attrs["factor"]
        cut = (1, x.height, 1, x.width, 1, x.channels)
        tiled = (1, x.height, factor, x.width, factor, x.channels)
        y = e.reshape(x.name, f"{out.name}/cut", cut, datatype_of(x))
        y = e.node("Tile", [y, e.indices((1, 1, factor, 1, factor, 1))], f"{out.name}/tiled", tiled, datatype_of(x))
        e.reshape(y, out.name, shape_of(out), datatype_of(out))

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Reshape", "Tile", "Reshape"]:
            return None
        tile = pattern.node(pattern.node(pattern.output, "Reshape").input[0], "Tile")
        cut = pattern.node(tile.input[0], "Reshape")
        x, out = pattern.tensor(cut.input[0]), pattern.out()
        factor = out.height // x.height
        shape = (1, x.height, 1, x.width, 1, x.channels)
        pattern.expect_shape(cut, shape)
        repeats = tuple(int(r) for r in pattern.integers(tile.input[1]))
        pattern.expect(repeats == (1, 1, factor, 1, factor, 1), f"Tile by {repeats} is not nearest neighbour")
        return FrozenNode(op="Upsample", inputs=(x.name,), output=out.name, attrs={"factor": factor})
