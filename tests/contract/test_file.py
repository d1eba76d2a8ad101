"""Frozen models on disk: round trip, hash, and every kind of damaged or foreign file."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import save_file

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.file import load_frozen, save_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import CheckpointError
from bvit_hw.freeze import random_frozen
from tests.frozen_factory import CONFIGS


@pytest.fixture(scope="module")
def graph() -> FrozenGraph:
    return random_frozen(CONFIGS["pyramid"], seed=1)


@pytest.mark.parametrize("name", CONFIGS)
def test_round_trip(name: str, tmp_path: Path) -> None:
    graph = random_frozen(CONFIGS[name], seed=9)
    path = tmp_path / "model.safetensors"
    digest = save_frozen(graph, path)
    loaded = load_frozen(path)
    assert digest == model_hash(graph) == model_hash(loaded)
    assert loaded.tensors == graph.tensors and loaded.config == graph.config
    assert (loaded.input, loaded.output) == (graph.input, graph.output)
    for a, b in zip(graph.nodes, loaded.nodes, strict=True):
        assert (a.op, a.inputs, a.output, dict(a.attrs)) == (b.op, b.inputs, b.output, dict(b.attrs))
        assert set(a.params) == set(b.params)
        assert all(
            np.array_equal(a.params[k], b.params[k]) and a.params[k].shape == b.params[k].shape for k in a.params
        )
    first = path.read_bytes()
    save_frozen(loaded, path)
    assert path.read_bytes() == first and os.listdir(tmp_path) == [path.name]


def test_hash_is_of_the_content(graph: FrozenGraph) -> None:
    """Other NumPy types: same hash. Any integer, exponent, attribute or name changed: another."""
    wide = [replace(n, params={k: v.astype(np.int64) for k, v in n.params.items()}) for n in graph.nodes]
    digest = model_hash(graph)
    assert model_hash(replace(graph, nodes=tuple(wide))) == digest
    hashes = {digest}
    for index, node in enumerate(graph.nodes):
        changes = [replace(node, params={**node.params, k: v.astype(np.int64) ^ 1}) for k, v in node.params.items()]
        changes += [replace(node, attrs={**node.attrs, k: 99}) for k in node.attrs]
        for change in changes:
            hashes.add(model_hash(replace(graph, nodes=(*graph.nodes[:index], change, *graph.nodes[index + 1 :]))))
    moved = {**graph.tensors, "b0.h": replace(graph.tensors["b0.h"], exponent=3)}
    hashes.add(model_hash(replace(graph, tensors=moved)))
    assert len(hashes) == 2 + sum(len(n.params) + len(n.attrs) for n in graph.nodes)


Change = Callable[[dict[str, Any], dict[str, np.ndarray]], None]


def _rewrite(path: Path, change: Change) -> None:
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
        tensors = {name: np.array(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
    head = json.loads(metadata["bvit-frozen"])
    change(head, tensors)
    save_file(tensors, path, metadata={"bvit-frozen": json.dumps(head)})


def _edit(**steps: Callable[[Any], object]) -> Change:
    def change(head: dict[str, Any], tensors: dict[str, np.ndarray]) -> None:
        parts = {"head": head, "graph": head["graph"], "tensors": tensors}
        for name, step in steps.items():
            step(parts[name])

    return change


def _flip(tensors: dict[str, np.ndarray]) -> None:
    tensors["b0.q/coef0"][0] ^= 1


DAMAGE = {
    "format": (_edit(head=lambda m: m.update(format="other")), "format 'other' is not a frozen model"),
    "no graph": (_edit(head=lambda m: m.pop("graph")), "damaged or not a frozen model"),
    "value": (_edit(tensors=_flip), "content has hash"),
    "missing": (_edit(tensors=lambda t: t.pop("b0.q/coef0")), "b0.q/coef0"),
    "extra": (_edit(tensors=lambda t: t.update(more=np.zeros(1, np.int32))), r"no node uses: \['more'\]"),
    "shape": (_edit(tensors=lambda t: t.update({"b0.q/coef0": np.zeros(3, np.int32)})), r"b0.q/coef0: int32 of shape"),
    "floats": (_edit(tensors=lambda t: t.update({"b0.q/coef0": np.zeros(8, np.float32)})), "b0.q/coef0: float32"),
    "order": (_edit(graph=lambda h: h["nodes"].reverse()), "refers to unknown tensors"),
    "field": (_edit(graph=lambda h: h["tensors"][0].update(bits="8")), "tensor 'pixels': fields"),
    "output": (_edit(graph=lambda h: h.update(output="nothing")), "no node computes the output 'nothing'"),
    "hash": (_edit(head=lambda m: m.pop("model_hash")), "the file says None"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damaged_content(name: str, graph: FrozenGraph, tmp_path: Path) -> None:
    change, message = DAMAGE[name]
    path = tmp_path / "model.safetensors"
    save_frozen(graph, path)
    _rewrite(path, change)
    with pytest.raises(CheckpointError, match=message) as caught:
        load_frozen(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("size", [0, 5, 100, 2000, -1])
def test_truncated_file(size: int, graph: FrozenGraph, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    save_frozen(graph, path)
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(CheckpointError, match="damaged"):
        load_frozen(path)


def test_no_such_file_and_no_such_folder(graph: FrozenGraph, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no such file"):
        load_frozen(tmp_path / "absent.safetensors")
    with pytest.raises(CheckpointError, match="no such file"):
        load_frozen(tmp_path)
    with pytest.raises(CheckpointError, match="cannot be written"):
        save_frozen(graph, tmp_path / "absent" / "model.safetensors")


def test_an_inexact_graph_is_refused(graph: FrozenGraph, tmp_path: Path) -> None:
    """A file whose hash is right but whose integers could overflow is no frozen model."""
    nodes = [
        replace(n, params={**n.params, "bias": n.params["bias"] + 2**24}) if n.output == "b0.h" else n
        for n in graph.nodes
    ]
    path = tmp_path / "model.safetensors"
    save_frozen(replace(graph, nodes=tuple(nodes)), path)
    with pytest.raises(CheckpointError, match=r"b0\.h: bias of ChannelAffine"):
        load_frozen(path)


def test_a_failed_write_leaves_the_old_file(
    graph: FrozenGraph, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_frozen(graph, path)
    assert path.read_bytes() == b"old" and os.listdir(tmp_path) == [path.name]
