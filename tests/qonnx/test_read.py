"""What is written as QONNX is read back: the same graph, node by node, at every size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.operators import OPERATORS as CONTRACT
from bvit_hw.errors import ExportError, LoweringError
from bvit_hw.freeze import freeze, random_frozen
from bvit_hw.models import load_checkpoint, shipped_checkpoint
from bvit_hw.qonnx import export_qonnx, load_qonnx, read_qonnx, to_qonnx
from bvit_hw.qonnx.operators import OPERATORS
from tests.frozen_factory import CONFIGS


def assert_read_back(graph: FrozenGraph, path: Path) -> None:
    """Every field of every node and tensor, through a file."""
    export_qonnx(graph, path)
    found = read_qonnx(load_qonnx(path))
    assert list(found.tensors.items()) == list(graph.tensors.items())
    assert (found.input, found.output, found.config) == (graph.input, graph.output, graph.config)
    assert [node.output for node in found.nodes] == [node.output for node in graph.nodes]
    for node, wanted in zip(found.nodes, graph.nodes, strict=True):
        assert (node.op, node.inputs, dict(node.attrs)) == (wanted.op, wanted.inputs, dict(wanted.attrs)), node.output
        assert node.params.keys() == wanted.params.keys(), node.output
        for key, value in wanted.params.items():
            assert node.params[key].shape == value.shape, (node.output, key)
            assert np.array_equal(node.params[key], value), (node.output, key)


@pytest.mark.parametrize(("coef_bits", "slope_bits"), [(8, 8), (6, 10)])
@pytest.mark.parametrize("name", list(CONFIGS))
def test_every_kind_is_read_back(name: str, coef_bits: int, slope_bits: int, tmp_path: Path) -> None:
    graph = random_frozen(CONFIGS[name], seed=7, coef_bits=coef_bits, slope_bits=slope_bits)
    assert_read_back(graph, tmp_path / "model.onnx")


def test_the_configurations_hold_every_kind() -> None:
    """So that what stands above leaves none out."""
    kinds = {node.op for config in CONFIGS.values() for node in random_frozen(config, seed=7).nodes}
    assert kinds == set(OPERATORS) == set(CONTRACT)


@pytest.mark.parametrize("name", ["tiny-digits", "cifar10"])
def test_a_trained_network_is_read_back(name: str, tmp_path: Path) -> None:
    assert_read_back(freeze(load_checkpoint(shipped_checkpoint(name))), tmp_path / "model.onnx")


@pytest.mark.slow
def test_the_full_size_is_read_back(tmp_path: Path) -> None:
    assert_read_back(random_frozen("small-224", seed=7), tmp_path / "model.onnx")


def test_a_changed_model_is_told_by_its_hash() -> None:
    model = to_qonnx(random_frozen(CONFIGS["plain"], seed=7))
    name = "b0.hq/threshold"
    model.set_initializer(name, model.get_initializer(name) + 1)
    with pytest.raises(ExportError, match=r"has hash [0-9a-f]{64}, its metadata say [0-9a-f]{64}: changed"):
        read_qonnx(model)


def test_a_pattern_of_another_is_named() -> None:
    model = to_qonnx(random_frozen(CONFIGS["token"], seed=7))
    next(node for node in model.graph.node if node.name == "head.token").op_type = "Identity"
    with pytest.raises(LoweringError, match=r"head\.token: nodes Identity match no operator: docs/qonnx"):
        read_qonnx(model)


@pytest.mark.parametrize(("name", "index", "value", "reason"), [
    ("stem.x/token", (0, 3, 1), 1, "must be 0 but for its first token"),
    ("index/0_0_1_0_0_0_0_0", (2,), 0, "must put one token in front"),
    ("index/1_1", (0,), 2, "starts, ends and axes must be"),
])  # fmt: skip
def test_a_class_tokens_patterns_are_strict(name: str, index: tuple[int, ...], value: int, reason: str) -> None:
    """Those of the other kinds are lowering's (test_lower.py)."""
    model = to_qonnx(random_frozen(CONFIGS["token"], seed=7))
    values = model.get_initializer(name).copy()
    values[index] = value
    model.set_initializer(name, values)
    with pytest.raises(LoweringError, match=reason):
        read_qonnx(model)
