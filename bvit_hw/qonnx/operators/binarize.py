"""Binarize: Sub of a constant, BipolarQuant of scale 1."""

from __future__ import annotations

from collections.abc import Sequence

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import QONNX_DOMAIN, Emitter
from bvit_hw.qonnx.operators.base import QonnxOperator, floats, integer_type, shape_of
from bvit_hw.qonnx.pattern import Pattern


class Binarize(QonnxOperator):
    """A threshold by channel, then the sign."""

    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """See :class:`QonnxOperator`."""
        values = node.params["threshold"]
        threshold = e.constant(f"{out.name}/threshold", floats(values), integer_type(values))
        difference = e.node("Sub", [inputs[0].name, threshold], f"{out.name}/difference", shape_of(out))
        e.node(
            "BipolarQuant", [difference, e.scalar(1.0)], out.name, shape_of(out), "BIPOLAR", domain=QONNX_DOMAIN
        )  # fmt: skip

    def read(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`QonnxOperator`."""
        if not pattern.op_types or pattern.op_types[-1] != "BipolarQuant":
            return None
        node = pattern.node(pattern.output, "BipolarQuant")
        pattern.expect(float(pattern.constant(node.input[1])) == 1.0, "BipolarQuant must have scale 1")
        x, threshold = pattern.node(node.input[0], "Sub").input
        values = pattern.integers(threshold).reshape(-1)
        out = pattern.out()
        pattern.expect(values.size == out.channels, f"{values.size} thresholds for {out.channels} channels")
        return FrozenNode(
            op="Binarize", inputs=(pattern.tensor(x).name,), output=out.name, params={"threshold": values}
        )
