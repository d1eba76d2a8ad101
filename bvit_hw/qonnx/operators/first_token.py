"""FirstToken: Slice of both token axes."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern

#: starts, ends and axes
_ENDS = ((0, 0), (1, 1), (1, 2))


class FirstToken(QonnxOperator):
    """The first token alone."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        ends = [e.indices(values) for values in _ENDS]
        e.node("Slice", [inputs[0].name, *ends], out.name, shape_of(out), datatype_of(out))

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if pattern.op_types != ["Slice"]:
            return None
        node = pattern.node(pattern.output, "Slice")
        x, *ends = node.input
        found = tuple(tuple(int(v) for v in pattern.integers(name)) for name in ends)
        pattern.expect(found == _ENDS, f"starts, ends and axes must be {_ENDS}, are {found}")
        return FrozenNode(op="FirstToken", inputs=(pattern.tensor(x).name,), output=pattern.output)
