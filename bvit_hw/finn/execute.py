"""Executes a graph that is QONNX in part and hardware in part, and compares named tensors with a reference.

Standard nodes run in qonnx, hardware nodes in their golden functions. A standard node whose inputs are what they were
in an earlier run keeps that run's outputs, so checking after every pass stays cheap.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_node

from bvit_hw.errors import LoweringError
from bvit_hw.finn.node import is_hw, op_of, param_names, run_golden
from bvit_hw.qonnx.pattern import is_named

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
        # Dictionaries made once: qonnx searches its lists anew for every tensor.
        context: Tensors = {init.name: numpy_helper.to_array(init) for init in graph.initializer}
        shapes = _shapes(model)
        source = graph.input[0].name
        shape = shapes[source]
        if self.image.shape != shape[1:]:
            raise LoweringError(f"{source}: image of shape {self.image.shape} given, must be {shape[1:]}")
        context[source] = self.image[None].astype(np.float32)
        versions = {entry.domain: entry.version for entry in model.model.opset_import}
        for node in graph.node:
            if is_hw(node):
                op = op_of(node)
                count = len(op.inputs)
                params = {k: context[t] for k, t in zip(param_names(node), node.input[count:], strict=True)}
                values = [context[t] for t in node.input[:count]]
                results = run_golden(op, params, values, [shapes[t] for t in node.output])
                context.update(zip(node.output, results, strict=True))
                continue
            inputs = {name: context[name] for name in node.input if name}
            key = node.SerializeToString()
            before = self._memo.get(key)
            if before is not None and all(np.array_equal(before[0][name], value) for name, value in inputs.items()):
                context.update(before[1])
                continue
            for name in node.output:
                context[name] = np.zeros(shapes[name], dtype=np.float32)
            execute_node(node, context, graph, versions.get(node.domain, 1))
            self._memo[key] = (inputs, {name: context[name] for name in node.output})
        return {name: value for name, value in context.items() if is_named(name)}


def _shapes(model: ModelWrapper) -> dict[str, tuple[int, ...]]:
    graph = model.graph
    infos = (*graph.input, *graph.output, *graph.value_info)
    return {info.name: tuple(d.dim_value for d in info.type.tensor_type.shape.dim) for info in infos}


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
