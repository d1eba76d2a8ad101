"""A QONNX model read back as the frozen graph that it was written from."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace

from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import ExportError
from bvit_hw.qonnx.indexed_model import IndexedModel
from bvit_hw.qonnx.operators import OPERATORS
from bvit_hw.qonnx.pattern import Graph, Pattern, tensor_of


def read_qonnx(model: ModelWrapper) -> FrozenGraph:
    """The graph of a ``model`` of to_qonnx or load_qonnx, node by node; it has the hash that the model's metadata say.

    Raises :class:`LoweringError` naming a pattern that docs/qonnx.md has not, :class:`ExportError` where the hash
    differs.
    """
    model = IndexedModel(model.model)
    nodes = _with_widths([_node_of(pattern) for pattern in Graph(model).patterns()])
    exponents = json.loads(model.get_metadata_prop("bvit.exponents"))
    source, output = model.graph.input[0].name, model.graph.output[0].name
    tensors = {name: tensor_of(model, name) for name in (source, *(node.output for node in nodes))}
    graph = FrozenGraph(
        tensors={name: replace(tensor, exponent=exponents[name]) for name, tensor in tensors.items()},
        nodes=tuple(nodes),
        input=source,
        output=output,
        config=json.loads(model.get_metadata_prop("bvit.config")),
    )
    found, stored = model_hash(graph), model.get_metadata_prop("bvit.model_hash")
    if found != stored:
        raise ExportError(f"the QONNX graph has hash {found}, its metadata say {stored}: changed since it was written")
    return graph


def _node_of(pattern: Pattern) -> FrozenNode:
    for operator in OPERATORS.values():
        node = operator.read(pattern)
        if node is not None:
            return node
    raise pattern.fail("docs/qonnx.md has no such pattern")


def _with_widths(nodes: Iterable[FrozenNode]) -> list[FrozenNode]:
    """Widths of parameters that a ChannelAffine does not have are those of the others: freezing uses one for all."""
    nodes = list(nodes)
    affines = [node.attrs for node in nodes if node.op == "ChannelAffine"]
    coef_bits = next((attrs["coef_bits"] for attrs in affines if any(attrs["multiply"])), 8)
    slope_bits = next((attrs["slope_bits"] for attrs in affines if attrs["prelu"]), 8)
    return [
        replace(node, attrs={
            **node.attrs,
            "coef_bits": node.attrs["coef_bits"] if any(node.attrs["multiply"]) else coef_bits,
            "slope_bits": node.attrs["slope_bits"] if node.attrs["prelu"] else slope_bits,
        }) if node.op == "ChannelAffine" else node
        for node in nodes
    ]  # fmt: skip
