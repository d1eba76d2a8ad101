"""Frozen graphs on disk: one safetensors file, the parameters as tensors and the graph as JSON in its metadata."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.exactness import check_exact
from bvit_hw.errors import CheckpointError, FreezeError

#: what marks the file among other safetensors files
FROZEN_KEY = "bvit-frozen"
#: layout of the file; a reader refuses any other
FORMAT = 1

_TENSOR_FIELDS = {
    "name": str,
    "height": int,
    "width": int,
    "channels": int,
    "bits": int,
    "signed": bool,
    "exponent": int,
}


def _header(graph: FrozenGraph) -> dict[str, Any]:
    """Everything of a graph but the values of its parameters, JSON-ready."""
    return {
        "config": graph.config,
        "input": graph.input,
        "output": graph.output,
        "tensors": [asdict(tensor) for tensor in graph.tensors.values()],
        "nodes": [
            {
                "op": node.op,
                "inputs": list(node.inputs),
                "output": node.output,
                "attrs": {k: list(v) if isinstance(v, tuple) else v for k, v in node.attrs.items()},
                "params": {key: list(np.shape(value)) for key, value in node.params.items()},
            }
            for node in graph.nodes
        ],
    }


def _canonical(data: object) -> str:
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def model_hash(graph: FrozenGraph) -> str:
    """SHA-256 (hexadecimal) of the graph's content: structure and integers, whatever NumPy types hold them."""
    digest = hashlib.sha256(_canonical(_header(graph)).encode())
    for node in graph.nodes:
        for key in sorted(node.params):
            digest.update(f"\0{node.output}/{key}\0".encode())
            digest.update(np.ascontiguousarray(node.params[key], dtype="<i8").tobytes())
    return digest.hexdigest()


def save_frozen(graph: FrozenGraph, path: Path | str) -> str:
    """Write ``graph`` to ``path``, atomically; returns its :func:`model_hash`, which the file holds as well."""
    path = Path(path)
    digest = model_hash(graph)
    tensors = {
        f"{node.output}/{key}": np.array(value, order="C") for node in graph.nodes for key, value in node.params.items()
    }
    # One entry: safetensors writes several in no fixed order, and equal graphs are to give equal files.
    metadata = {FROZEN_KEY: _canonical({"format": FORMAT, "graph": _header(graph), "model_hash": digest})}
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(save(tensors, metadata=metadata))
        temporary.replace(path)
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def load_frozen(path: Path | str) -> FrozenGraph:
    """Read a file of :func:`save_frozen`, check its hash and prove it exact again.

    Raises :class:`CheckpointError`, naming the file and what is wrong, for a file that is missing, damaged or not one
    of ours.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"{path}: no such file; freeze a model first")
    try:
        with safe_open(path, framework="numpy") as file:
            head = json.loads((file.metadata() or {}).get(FROZEN_KEY, "{}"))
            if head.get("format") != FORMAT:
                raise CheckpointError(
                    f"{path}: format {head.get('format')!r} is not a frozen model of this version ({FORMAT!r})"
                )
            stored = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        graph = _graph(head["graph"], stored)
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


def _graph(header: Mapping[str, Any], stored: Mapping[str, np.ndarray]) -> FrozenGraph:
    tensors = {}
    for entry in header["tensors"]:
        wrong = [k for k, kind in _TENSOR_FIELDS.items() if type(entry.get(k)) is not kind]
        if wrong or set(entry) != set(_TENSOR_FIELDS):
            raise ValueError(f"tensor {entry.get('name')!r}: fields {sorted(entry)} do not fit")
        tensors[entry["name"]] = FrozenTensor(**entry)
    known, used = {header["input"]}, set()
    nodes = []
    for entry in header["nodes"]:
        output = entry["output"]
        missing = [name for name in (*entry["inputs"], output) if name not in tensors]
        missing += [name for name in entry["inputs"] if name not in known]
        if missing:
            raise ValueError(f"node {output!r} refers to unknown tensors {missing}")
        params = {}
        for key, shape in entry["params"].items():
            value = stored[f"{output}/{key}"]
            if list(value.shape) != shape or not np.issubdtype(value.dtype, np.integer):
                raise ValueError(f"{output}/{key}: {value.dtype} of shape {value.shape}, expected integers of {shape}")
            params[key] = value
            used.add(f"{output}/{key}")
        attrs = {k: tuple(v) if isinstance(v, list) else v for k, v in entry["attrs"].items()}
        nodes.append(
            FrozenNode(op=entry["op"], inputs=tuple(entry["inputs"]), output=output, attrs=attrs, params=params)
        )
        known.add(output)
    if header["output"] not in known:
        raise ValueError(f"no node computes the output {header['output']!r}")
    if set(stored) != used:
        raise ValueError(f"tensors that no node uses: {sorted(set(stored) - used)}")
    return FrozenGraph(
        tensors=tensors, nodes=tuple(nodes), input=header["input"], output=header["output"], config=header["config"]
    )
