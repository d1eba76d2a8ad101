"""Between nodes of an ONNX graph and the hardware graph: operators, parameters, tensors."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto
from qonnx.core.datatype import DataType
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.contract import FrozenTensor
from bvit_hw.errors import LoweringError
from bvit_hw.lower.graph import HwNode
from bvit_hw.ops.node import op_of, param_names


def hw_node_of(node: NodeProto, model: ModelWrapper) -> HwNode:
    """The operator with its parameters and tensors."""
    op = op_of(node)
    streams = len(op.inputs)
    params: dict[str, np.ndarray] = {}
    for key, tensor in zip(param_names(node), node.input[streams:], strict=True):
        value = model.get_initializer(tensor)
        if value is None:
            raise LoweringError(f"{node.name}: parameter {key} ({tensor}) has no initializer")
        params[key] = np.asarray(value)
    return HwNode(name=node.name, op=op, inputs=tuple(node.input[:streams]), outputs=tuple(node.output), params=params)


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
