"""Between nodes of an ONNX graph and the hardware graph: operators and parameters."""

from __future__ import annotations

import numpy as np
from onnx import NodeProto
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.errors import LoweringError
from bvit_hw.finn.node import op_of, param_names
from bvit_hw.graph.hw_graph import HwNode


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
