"""Passes: MatMul with constant weights -> BinaryMVAU (both operands bipolar) or IntMVAU."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from bvit_hw.contract import FrozenNode
from bvit_hw.lower.pattern import Pattern
from bvit_hw.lower.rewrite import LoweringPass


def _linear(pattern: Pattern) -> tuple[FrozenNode, bool] | None:
    """The linear node and whether its weights are bipolar; None where the pattern is no MatMul."""
    if not pattern.op_types or pattern.op_types[-1] != "MatMul":
        return None
    node = pattern.node(pattern.output, "MatMul")
    cast = pattern.node(node.input[1], "Cast")
    stored = cast.input[0]
    weights = pattern.integers(stored).T
    datatype = pattern.model.get_tensor_datatype(stored)
    x, out = pattern.tensor(node.input[0]), pattern.out()
    pattern.expect(
        weights.shape == (out.channels, x.channels),
        f"weights of {weights.shape} do not take {x.channels} channels to {out.channels}",
    )
    pattern.expect(bool(datatype.allowed(weights).all()), f"weights are not all of their datatype {datatype.name}")
    bipolar = datatype == DataType["BIPOLAR"]
    pattern.expect(not bipolar or x.binary, f"bipolar weights on {x.name}, which is not bipolar")
    pattern.expect(bipolar or not x.binary, f"{datatype.name} weights on {x.name}, which is bipolar")
    if bipolar:
        node_out = FrozenNode(op="BinaryLinear", inputs=(x.name,), output=out.name, params={"weights": weights})
    else:
        bits = datatype.bitwidth()
        node_out = FrozenNode(
            op="IntLinear", inputs=(x.name,), output=out.name, attrs={"weight_bits": bits}, params={"weights": weights}
        )
    return node_out, bipolar


class InferBinaryMVAU(LoweringPass):
    """Bipolar x bipolar MatMul."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        found = _linear(pattern)
        return found[0] if found and found[1] else None


class InferIntMVAU(LoweringPass):
    """Integer x integer MatMul with constant weights."""

    def match(self, pattern: Pattern) -> FrozenNode | None:
        """See :class:`LoweringPass`."""
        found = _linear(pattern)
        return found[0] if found and not found[1] else None
