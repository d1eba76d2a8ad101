"""MatMul with constant weights: what BinaryLinear and IntLinear share."""

from __future__ import annotations

from qonnx.core.datatype import DataType

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.operators.base import datatype_of, shape_of
from bvit_hw.qonnx.pattern import Pattern


def write_linear(e: Emitter, node: FrozenNode, out: FrozenTensor, datatype: str) -> None:
    """The weights stored as integers, one byte each, cast and multiplied."""
    stored = node.params["weights"].T
    name = e.constant(f"{out.name}/weights", stored, datatype)
    weights = e.node("Cast", [name], f"{out.name}/weights_float", stored.shape, datatype, to=1)
    e.node("MatMul", [node.inputs[0], weights], out.name, shape_of(out), datatype_of(out))


def read_linear(pattern: Pattern) -> FrozenNode | None:
    """The BinaryLinear or IntLinear, by its weights' datatype; None where the pattern is no MatMul."""
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
        return FrozenNode(op="BinaryLinear", inputs=(x.name,), output=out.name, params={"weights": weights})
    attrs = {"weight_bits": datatype.bitwidth()}
    return FrozenNode(op="IntLinear", inputs=(x.name,), output=out.name, attrs=attrs, params={"weights": weights})
