"""A hardware graph on disk: one safetensors file, parameters as tensors, all else as JSON in its metadata.

Steps of a build hand graphs on by it: operators, folding, glue, FIFO depths and memories, target. Light to read: an
operator's fields are plain data, so no ONNX and no re-derivation.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from bvit_hw.disk import write_aside
from bvit_hw.errors import BvitError, LoweringError
from bvit_hw.graph.hw_graph import HwGraph, HwNode
from bvit_hw.ops.registry import from_attributes
from bvit_hw.targets import Target, discovered

#: what marks the file among other safetensors files
GRAPH_KEY = "bvit-hardware-graph"
#: layout of the file; a reader refuses any other
FORMAT = 2


def save_graph(graph: HwGraph, path: Path) -> None:
    """Write ``graph`` to ``path``, atomically; equal graphs give equal files."""
    tensors = {f"{node.name}/{key}": _narrow(value) for node in graph.nodes for key, value in node.params.items()}
    head = {
        "format": FORMAT,
        "name": graph.name,
        "input": graph.input,
        "output": graph.output,
        "pixel_bytes": graph.pixel_bytes,
        "target": graph.target.name,
        "nodes": [
            {
                "name": node.name,
                "op": node.op.op_type,
                "fields": node.op.attributes(),
                "inputs": node.inputs,
                "outputs": node.outputs,
                "params": {key: np.asarray(node.params[key]).dtype.name for key in sorted(node.params)},
            }
            for node in graph.nodes
        ],
    }
    # One entry: safetensors writes several in no fixed order.
    metadata = {GRAPH_KEY: json.dumps(head, sort_keys=True, separators=(",", ":"))}
    write_aside(path, save(tensors, metadata=metadata))


def load_graph(path: Path) -> HwGraph:
    """Read a file of :func:`save_graph` and check the graph.

    Raises :class:`LoweringError`, naming the file and what is wrong, for a file that is missing, damaged, of another
    layout, or of a target that is not known here.
    """
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            stored = {name: np.asarray(file.get_tensor(name)) for name in file.keys()}  # noqa: SIM118
        head = json.loads(metadata[GRAPH_KEY])
        if head["format"] != FORMAT:
            raise LoweringError(f"format {head['format']!r}; allowed: {FORMAT}")
        target = _target(head["target"])
        nodes = tuple(_node(entry, stored, target) for entry in head["nodes"])
        graph = HwGraph(**{key: head[key] for key in ("name", "input", "output", "pixel_bytes")}, nodes=nodes)
        graph.check()
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError, BvitError) as error:
        raise LoweringError(f"{path}: no hardware graph that can be read: {error}") from error
    return graph


def _narrow(value: np.ndarray) -> np.ndarray:
    """The integers in the smallest type that holds them: weights are bits, and a graph is handed on three times."""
    value = np.array(value, order="C")
    low, high = (int(value.min()), int(value.max())) if value.size else (0, 0)
    for kind in (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32):
        if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max:
            return value.astype(kind)
    return value


def _target(name: str) -> Target:
    known = {target.name: target for target in discovered()}
    if name not in known:
        raise LoweringError(f"target {name!r}; known: {', '.join(known)}")
    return known[name]


def _node(entry: Mapping[str, Any], stored: Mapping[str, np.ndarray], target: Target) -> HwNode:
    op = from_attributes(entry["op"], entry["fields"])
    return HwNode(
        name=entry["name"],
        op=replace(op, target=target),  # not op.on(target): whether it has the target's cells is in its fields
        inputs=tuple(entry["inputs"]),
        outputs=tuple(entry["outputs"]),
        params={key: stored[f"{entry['name']}/{key}"].astype(dtype) for key, dtype in entry["params"].items()},
    )
