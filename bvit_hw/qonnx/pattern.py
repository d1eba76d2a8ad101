"""Reading a QONNX graph backwards: what produces a named tensor, node by node, strictly.

A *named* tensor is one of the integer contract (its name has no slash). The nodes between named tensors form one
pattern of docs/qonnx.md; a :class:`Pattern` walks it and complains about whatever is not as written there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper, numpy_helper
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.contract import FrozenTensor
from bvit_hw.errors import LoweringError


def is_named(tensor: str) -> bool:
    """Whether the tensor is one of the contract's."""
    return "/" not in tensor


def tensor_of(model: ModelWrapper, name: str) -> FrozenTensor:
    """Shape and width of a named tensor of the QONNX graph; raises LoweringError where it is no token grid."""
    shape = model.get_tensor_shape(name)
    datatype = model.get_tensor_datatype(name)
    if shape is None or len(shape) != 4 or shape[0] != 1:
        raise LoweringError(f"tensor {name}: shape {shape}, must be 1 x height x width x channels")
    if not datatype.is_integer():
        raise LoweringError(f"tensor {name}: datatype {datatype.name}, must be an integer one or BIPOLAR")
    bipolar = datatype == DataType["BIPOLAR"]
    return FrozenTensor(
        name=name,
        height=shape[1],
        width=shape[2],
        channels=shape[3],
        bits=1 if bipolar else datatype.bitwidth(),
        signed=not bipolar and datatype.signed(),
    )


class Graph:
    """Look-ups in a model, made once: producers and constants."""

    def __init__(self, model: ModelWrapper) -> None:
        self.model = model
        self.producers: dict[str, NodeProto] = {out: node for node in model.graph.node for out in node.output}
        self.initializers = {init.name: init for init in model.graph.initializer}

    def patterns(self, others: Callable[[NodeProto], bool] = lambda node: False) -> list[Pattern]:
        """The patterns of all named tensors, in execution order, but for those that one of ``others`` produces."""
        found = []
        for node in self.model.graph.node:
            if not others(node) and len(node.output) == 1 and is_named(node.output[0]):
                found.append(Pattern(self, node.output[0]))
        return found


class Pattern:
    """The nodes that compute one named tensor out of others."""

    def __init__(self, graph: Graph, output: str) -> None:
        self.graph, self.model, self.output = graph, graph.model, output
        self.nodes: list[NodeProto] = []
        self._collect(output, set())
        self.op_types = [node.op_type for node in self.nodes]

    def _collect(self, tensor: str, seen: set[str]) -> None:
        node = self.graph.producers.get(tensor)
        if node is None or tensor in seen or (is_named(tensor) and tensor != self.output):
            return
        seen.add(tensor)
        for name in node.input:
            self._collect(name, seen)
        self.nodes.append(node)

    def fail(self, reason: str) -> LoweringError:
        """The error to raise: names the tensor's node and the reason."""
        return LoweringError(f"{self.output}: nodes {' '.join(self.op_types)} match no operator: {reason}")

    def node(self, tensor: str, op_type: str) -> NodeProto:
        """The node that produces ``tensor``, which must be an ``op_type``."""
        node = self.graph.producers.get(tensor)
        if node is None or node.op_type != op_type:
            raise self.fail(f"{tensor} must come from {op_type}, comes from {node.op_type if node else 'no node'}")
        return node

    def produced_by(self, tensor: str, op_type: str) -> bool:
        """Whether an ``op_type`` of this very pattern produces ``tensor``."""
        node = self.graph.producers.get(tensor)
        return node is not None and node.op_type == op_type and not is_named(tensor)

    def attribute(self, node: NodeProto, name: str, default: Any = None) -> Any:
        """An attribute's value; tuples for lists, text for bytes."""
        for attribute in node.attribute:
            if attribute.name == name:
                value = helper.get_attribute_value(attribute)
                if isinstance(value, bytes):
                    return value.decode()
                return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value
        return default

    def is_constant(self, tensor: str) -> bool:
        """Whether ``tensor`` is an initializer."""
        return tensor in self.graph.initializers

    def constant(self, tensor: str) -> np.ndarray:
        """The value of an initializer."""
        if tensor not in self.graph.initializers:
            raise self.fail(f"{tensor} must be a constant")
        value: np.ndarray = numpy_helper.to_array(self.graph.initializers[tensor])
        return value

    def integers(self, tensor: str) -> np.ndarray:
        """The value of an initializer that holds integers."""
        value = self.constant(tensor)
        rounded: np.ndarray = np.rint(value).astype(np.int64)
        if not np.array_equal(rounded, value):
            raise self.fail(f"{tensor} must hold integers")
        return rounded

    def expect_shape(self, node: NodeProto, shape: tuple[int, ...]) -> None:
        """Raise LoweringError unless the Reshape cuts to ``shape``; 0 as its first entry keeps the batch of 1."""
        found = tuple(int(d) for d in self.integers(node.input[1]))
        self.expect(
            found[1:] == shape[1:] and found[:1] in ((0,), (1,)), f"{node.name} must cut to {shape}, not {found}"
        )

    def log2_scalar(self, tensor: str) -> int:
        """log2 of a scalar initializer that is a power of two."""
        value = self.constant(tensor)
        exponent = round(float(np.log2(value))) if value.size == 1 and value > 0 else None
        if exponent is None or 2.0**exponent != float(value):
            raise self.fail(f"{tensor} must be a power of two, is {value}")
        return exponent

    def split(self, node: NodeProto) -> tuple[str, str]:
        """(data tensor, constant tensor) of a node with two inputs."""
        first, second = node.input
        if self.is_constant(second):
            return first, second
        if self.is_constant(first):
            return second, first
        raise self.fail(f"{node.name} must have a constant operand")

    def quant(self, tensor: str) -> tuple[str, int]:
        """(input, bits) of Floor and the signed, saturating Quant of scale 1 that produce ``tensor``.

        Files of format 1 have no Floor: there the Quant itself rounds down.
        """
        node = self.node(tensor, "Quant")
        floored = self.produced_by(node.input[0], "Floor")
        mode = "ROUND" if floored else "FLOOR"
        found = (
            self.attribute(node, "rounding_mode"), self.attribute(node, "signed"), self.attribute(node, "narrow"),
            float(self.constant(node.input[1])), float(self.constant(node.input[2])),
        )  # fmt: skip
        if found != (mode, 1, 0, 1.0, 0.0):
            raise self.fail(f"Quant must have (mode, signed, narrow, scale, zero) ({mode}, 1, 0, 1, 0), has {found}")
        data = self.node(node.input[0], "Floor").input[0] if floored else node.input[0]
        return data, int(self.constant(node.input[3]))

    def scaled(self, tensor: str) -> tuple[str, int]:
        """(input, log2 of the factor) of the Mul by a power of two that produces ``tensor``."""
        data, scale = self.split(self.node(tensor, "Mul"))
        return data, self.log2_scalar(scale)

    def tensor(self, name: str) -> FrozenTensor:
        """Shape and width of a named tensor."""
        if not is_named(name):
            raise self.fail(f"{name} must be a tensor of the contract")
        return tensor_of(self.model, name)

    def out(self) -> FrozenTensor:
        """Shape and width of the pattern's result."""
        return tensor_of(self.model, self.output)

    def expect(self, condition: bool, reason: str) -> None:
        """Raise LoweringError with ``reason`` unless ``condition``."""
        if not condition:
            raise self.fail(reason)
