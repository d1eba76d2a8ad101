"""Frozen graphs on disk: one safetensors file, the parameters as tensors and the graph as JSON in its metadata."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.exactness import check_exact
from bvit_hw.contract.header import FROZEN_KEY, canonical, graph_of, header_of, model_hash
from bvit_hw.disk import write_aside
from bvit_hw.errors import CheckpointError, FreezeError

#: layout of the file; a reader refuses any other
FORMAT = 1


def save_frozen(
    graph: FrozenGraph, path: Path | str, info: Mapping[str, object] | None = None, name: str | None = None
) -> str:
    """Write ``graph`` to ``path``, atomically; returns its :func:`model_hash`, which the file holds as well.

    ``info`` is the free data of the checkpoint it was frozen from (JSON-ready), ``name`` what people call the network;
    neither goes into the hash.
    """
    path = Path(path)
    digest = model_hash(graph)
    tensors = {
        f"{node.output}/{key}": np.array(value, order="C") for node in graph.nodes for key, value in node.params.items()
    }
    # One entry: safetensors writes several in no fixed order, and equal graphs are to give equal files.
    head: dict[str, object] = {"format": FORMAT, "graph": header_of(graph), "model_hash": digest}
    if info:
        head["info"] = dict(info)
    if name:
        head["name"] = name
    metadata = {FROZEN_KEY: canonical(head)}
    try:
        write_aside(path, save(tensors, metadata=metadata))
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from error
    return digest


def load_frozen(path: Path | str) -> FrozenGraph:
    """Read a file of :func:`save_frozen`, check its hash and prove it exact again.

    Raises :class:`CheckpointError`, naming the file and what is wrong, for a file that is missing, damaged or not one
    of ours.
    """
    path = Path(path)
    head = read_frozen_head(path)
    try:
        with safe_open(path, framework="numpy") as file:
            stored = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        graph = graph_of(head["graph"], stored)
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: damaged or not a frozen model: {error}") from error
    digest = model_hash(graph)
    if digest != head.get("model_hash"):
        raise CheckpointError(f"{path}: content has hash {digest}, the file says {head.get('model_hash')}: damaged")
    try:
        check_exact(graph)
    except FreezeError as error:
        raise CheckpointError(f"{path}: {error}") from error
    return graph


def is_frozen(path: Path | str) -> bool:
    """Whether ``path`` is a file that says it holds a frozen network; :func:`load_frozen` tells whether it is whole."""
    try:
        with safe_open(Path(path), framework="numpy") as file:
            return FROZEN_KEY in (file.metadata() or {})
    except (OSError, SafetensorError):
        return False


def read_frozen_head(path: Path | str) -> dict[str, Any]:
    """All of a frozen network's file but its integers: ``graph``, ``model_hash``, and ``info`` and ``name`` if known.

    Raises :class:`CheckpointError` for a file that is missing, damaged or not one of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; freeze a model first")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
        head = json.loads(metadata.get(FROZEN_KEY, "{}"))
        if not isinstance(head, dict):
            raise ValueError("its head is no table")
    except (OSError, SafetensorError, ValueError) as error:
        raise CheckpointError(f"{path}: damaged or not a frozen model: {error}") from error
    if head.get("format") != FORMAT:
        raise CheckpointError(
            f"{path}: format {head.get('format')!r} is not a frozen model of this version ({FORMAT!r})"
        )
    return head
