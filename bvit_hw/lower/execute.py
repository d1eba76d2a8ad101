"""Executes a graph that is QONNX in part and hardware in part, and compares named tensors with a reference.

Standard nodes run in qonnx, hardware nodes in their golden functions. A standard node whose inputs are what they were
in an earlier run keeps that run's outputs, so checking after every pass stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_node

from bvit_hw.errors import LoweringError
from bvit_hw.lower.hw_node import hw_node_of
from bvit_hw.lower.pattern import is_named
from bvit_hw.ops.node import is_hw, run_golden

Tensors = dict[str, np.ndarray]


class Executor:
    """Runs models on one image, remembering what standard nodes gave."""

    def __init__(self, image: np.ndarray) -> None:
        """``image``: uint8, height x width x channels."""
        self.image = np.asarray(image)
        self._memo: dict[bytes, tuple[Tensors, Tensors]] = {}

    def run(self, model: ModelWrapper) -> Tensors:
        """All named tensors of the model for the image, as float32 (bipolar ones -1 / +1)."""
        graph = model.graph
        context: Tensors = {init.name: np.asarray(model.get_initializer(init.name)) for init in graph.initializer}
        source = graph.input[0].name
        shape = tuple(model.get_tensor_shape(source))
        if self.image.shape != shape[1:]:
            raise LoweringError(f"{source}: image of shape {self.image.shape} given, must be {shape[1:]}")
        context[source] = self.image[None].astype(np.float32)
        versions = {entry.domain: entry.version for entry in model.model.opset_import}
        for node in graph.node:
            if is_hw(node):
                hw = hw_node_of(node, model)
                shapes = [tuple(model.get_tensor_shape(t)) for t in hw.outputs]
                results = run_golden(hw.op, hw.params, [context[t] for t in hw.inputs], shapes)
                context.update(zip(hw.outputs, results, strict=True))
                continue
            inputs = {name: context[name] for name in node.input if name}
            key = node.SerializeToString()
            before = self._memo.get(key)
            if before is not None and all(np.array_equal(before[0][name], value) for name, value in inputs.items()):
                context.update(before[1])
                continue
            for name in node.output:
                context[name] = np.zeros(model.get_tensor_shape(name), dtype=np.float32)
            execute_node(node, context, graph, versions.get(node.domain, 1))
            self._memo[key] = (inputs, {name: context[name] for name in node.output})
        return {name: value for name, value in context.items() if is_named(name)}


def compare(found: Mapping[str, np.ndarray], wanted: Mapping[str, np.ndarray], where: str) -> int:
    """Raise LoweringError at the first tensor of ``wanted`` that differs in ``found``; gives how many were compared."""
    compared = 0
    for name, reference in wanted.items():
        if name not in found:
            raise LoweringError(f"after {where}: tensor {name} is no longer computed")
        if not np.array_equal(found[name], reference):
            wrong = int(np.sum(found[name] != reference)) if found[name].shape == reference.shape else reference.size
            raise LoweringError(
                f"after {where}: tensor {name} differs from QONNX in {wrong} of {reference.size} values"
            )
        compared += 1
    return compared
