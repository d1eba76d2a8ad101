"""Collects the nodes, initializers, shapes and datatypes of an ONNX graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import (
    GraphProto,
    NodeProto,
    StringStringEntryProto,
    TensorAnnotation,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

#: domain of Quant and BipolarQuant
QONNX_DOMAIN = "qonnx.custom_op.general"


class Emitter:
    """An ONNX graph under construction.

    Tensors are float32. ``<tensor>/<part>`` names what belongs to one node of the frozen graph; names without a slash
    are the contract's.
    """

    def __init__(self) -> None:
        self.nodes: list[NodeProto] = []
        self.initializers: dict[str, TensorProto] = {}
        self.infos: dict[str, ValueInfoProto] = {}
        self.datatypes: dict[str, str] = {}

    def declare(
        self, name: str, shape: Sequence[int], datatype: str | None = None, element: int = TensorProto.FLOAT
    ) -> str:
        """Give a tensor its shape, its elements' ONNX type and, where it holds integers, its QONNX datatype."""
        self.infos[name] = helper.make_tensor_value_info(name, element, list(shape))
        if datatype is not None:
            self.datatypes[name] = datatype
        return name

    def constant(self, name: str, values: np.ndarray, datatype: str | None = None) -> str:
        """Store an initializer as it is (its NumPy type included); the same name again must mean the same values."""
        tensor = numpy_helper.from_array(np.array(values, order="C"), name)
        if name in self.initializers:
            assert self.initializers[name] == tensor, name
            return name
        self.initializers[name] = tensor
        self.infos[name] = helper.make_tensor_value_info(name, tensor.data_type, tensor.dims)
        if datatype is not None:
            self.datatypes[name] = datatype
        return name

    def scalar(self, value: float) -> str:
        """A float32 scalar, shared by all its users."""
        return self.constant(f"const/{value!r}", np.array(value, dtype=np.float32))

    def reshape(self, x: str, output: str, shape: Sequence[int], datatype: str | None) -> str:
        """Reshape that leaves the first axis, the images, as it is."""
        return self.node("Reshape", [x, self.indices((0, *shape[1:]))], output, shape, datatype)

    def indices(self, values: Sequence[int]) -> str:
        """An int64 vector (shapes, axes, repeats), shared by all its users."""
        text = "_".join(map(str, values))
        return self.constant(f"index/{text}", np.array(values, dtype=np.int64))

    def node(
        self,
        op_type: str,
        inputs: Sequence[str],
        output: str,
        shape: Sequence[int],
        datatype: str | None = None,
        *,
        domain: str = "",
        element: int = TensorProto.FLOAT,
        **attributes: Any,
    ) -> str:
        """Append a node, named for its output, and declare that output."""
        self.nodes.append(helper.make_node(op_type, list(inputs), [output], name=output, domain=domain, **attributes))
        return self.declare(output, shape, datatype, element)

    def quant(self, x: str, output: str, shape: Sequence[int], bits: int) -> str:
        """Floor, then a signed Quant of scale 1 that saturates to ``bits`` bits.

        Quant could round down by itself, but what converts it to QuantizeLinear (qonnx's QuantToQCDQ) takes any mode
        for round-to-even. Of an integer every mode makes the same.
        """
        floor = self.node("Floor", [x], f"{x}_floor", shape)
        inputs = [floor, self.scalar(1.0), self.scalar(0.0), self.scalar(float(bits))]
        return self.node(
            "Quant", inputs, output, shape, f"INT{bits}", domain=QONNX_DOMAIN, signed=1, narrow=0, rounding_mode="ROUND"
        )

    def graph(self, name: str, inputs: Sequence[str], outputs: Sequence[str]) -> GraphProto:
        """The finished graph."""
        ends = {*inputs, *outputs}
        graph = helper.make_graph(
            self.nodes,
            name,
            [self.infos[i] for i in inputs],
            [self.infos[o] for o in outputs],
            initializer=list(self.initializers.values()),
            value_info=[info for tensor, info in self.infos.items() if tensor not in ends],
        )
        for tensor, datatype in self.datatypes.items():
            entry = StringStringEntryProto(key="finn_datatype", value=datatype)
            graph.quantization_annotation.append(
                TensorAnnotation(tensor_name=tensor, quant_parameter_tensor_names=[entry])
            )
        return graph
