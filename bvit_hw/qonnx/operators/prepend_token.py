"""PrependToken: Reshape, Pad, Add."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern

#: one token in front of the second of two token axes
_PADS = (0, 0, 1, 0, 0, 0, 0, 0)


class PrependToken(QonnxOperator):
    """A stored token before all others."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        (x,), shape = inputs, shape_of(out)
        y = e.reshape(x.name, f"{out.name}/row", (1, 1, x.height * x.width, x.channels), datatype_of(x))
        # Not Concat: a stored token has one image's shape, a sum goes with any number of them.
        y = e.node("Pad", [y, e.indices(_PADS)], f"{out.name}/padded", shape, datatype_of(x))
        token = np.zeros(shape[1:], dtype=np.float32)
        token[0, 0] = node.params["token"]
        constant = e.constant(f"{out.name}/token", token, f"INT{out.bits}")
        e.node("Add", [y, constant], out.name, shape, datatype_of(out))

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Reshape", "Pad", "Add"]:
            return None
        padded, token = pattern.split(pattern.node(pattern.output, "Add"))
        pad = pattern.node(padded, "Pad")
        pads = tuple(int(p) for p in pattern.integers(pad.input[1]))
        pattern.expect(pads == _PADS, f"{pad.name} must put one token in front, pads are {pads}")
        row = pattern.node(pad.input[0], "Reshape")
        x, out = pattern.tensor(row.input[0]), pattern.out()
        pattern.expect_shape(row, (1, 1, x.height * x.width, x.channels))
        values = pattern.integers(token)
        pattern.expect(values.shape == shape_of(out)[1:], f"{token} has shape {values.shape}, not {shape_of(out)[1:]}")
        pattern.expect(not values[0, 1:].any(), f"{token} must be 0 but for its first token")
        return FrozenNode(op="PrependToken", inputs=(x.name,), output=out.name, params={"token": values[0, 0]})
