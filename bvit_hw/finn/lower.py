"""QONNX to hardware graph: all lowering passes in order, each one's result checked against the QONNX execution."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnx
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.errors import LoweringError
from bvit_hw.finn.execute import Executor, compare
from bvit_hw.finn.hw_node import hw_node_of
from bvit_hw.finn.node import is_hw
from bvit_hw.finn.passes import PASSES
from bvit_hw.finn.rewrite import LoweringPass
from bvit_hw.graph.hw_graph import HwGraph

log = logging.getLogger(__name__)


def lower_model(
    model: ModelWrapper, *, images: np.ndarray | None = None, passes: Sequence[type[LoweringPass]] = PASSES
) -> ModelWrapper:
    """``model`` with all its nodes replaced by hardware operators in their slowest folding; ``model`` stays as it is.

    With ``images`` (uint8, N x H x W x C) every named tensor is compared with the QONNX execution after every pass.
    Raises LoweringError, naming node and reason, for a pattern that is not of docs/qonnx.md, a difference, or nodes
    that are left over.
    """
    executors = [Executor(image) for image in images] if images is not None else []
    references = [executor.run(model) for executor in executors]
    for cls in passes:
        # qonnx's own cleanup after each pass would take longer than all passes.
        model = model.transform(cls(), cleanup=False)
        for executor, reference in zip(executors, references, strict=True):
            count = compare(executor.run(model), reference, cls.__name__)
            log.debug("%s: %d tensors equal", cls.__name__, count)
    left = [node for node in model.graph.node if not is_hw(node)]
    if left:
        shown = ", ".join(f"{node.name} ({node.op_type})" for node in left[:5])
        raise LoweringError(f"{len(left)} nodes have no hardware operator: {shown}{', ...' if len(left) > 5 else ''}")
    return model


def hw_graph(model: ModelWrapper) -> HwGraph:
    """The hardware graph of a lowered model; raises LoweringError where it is not sound."""
    nodes = tuple(hw_node_of(node, model) for node in model.graph.node)
    graph = HwGraph(name="bvit", nodes=nodes, input=model.graph.input[0].name, output=model.graph.output[0].name)
    graph.check()
    return graph


def save_lowered(model: ModelWrapper, path: Path) -> None:
    """Write a lowered model to ``path``."""
    onnx.save_model(model.model, str(path))


def lower(model: ModelWrapper, *, images: np.ndarray | None = None) -> HwGraph:
    """:func:`lower_model`, then :func:`hw_graph`."""
    return hw_graph(lower_model(model, images=images))
