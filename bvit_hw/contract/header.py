"""A frozen graph as JSON-ready data and arrays, as its file holds it; its hash."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np

from .nodes import FrozenGraph, FrozenNode, FrozenTensor

#: what marks the file among other safetensors files
FROZEN_KEY = "bvit-frozen"

_TENSOR_FIELDS = {
    "name": str,
    "height": int,
    "width": int,
    "channels": int,
    "bits": int,
    "signed": bool,
    "exponent": int,
}


def header_of(graph: FrozenGraph) -> dict[str, Any]:
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


def canonical(data: object) -> str:
    """JSON that equal data have equal."""
    return json.dumps(data, sort_keys=True, separators=(",", ":"))


def model_hash(graph: FrozenGraph) -> str:
    """SHA-256 (hexadecimal) of the graph's content: structure and integers, whatever NumPy types hold them."""
    digest = hashlib.sha256(canonical(header_of(graph)).encode())
    for node in graph.nodes:
        for key in sorted(node.params):
            digest.update(f"\0{node.output}/{key}\0".encode())
            digest.update(np.ascontiguousarray(node.params[key], dtype="<i8").tobytes())
    return digest.hexdigest()


def graph_of(header: Mapping[str, Any], stored: Mapping[str, np.ndarray]) -> FrozenGraph:
    """The graph of :func:`header_of`'s data and of its parameters, called ``<output>/<parameter>``.

    Raises ValueError, KeyError, TypeError or AttributeError for data that are none.
    """
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
