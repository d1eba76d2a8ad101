"""A frozen graph as a QONNX file, complete in itself: nodes, weights, datatypes, exponents, configuration, hash."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
from google.protobuf.message import DecodeError
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw import __version__
from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.exactness import check_exact
from bvit_hw.contract.header import model_hash
from bvit_hw.disk import write_aside
from bvit_hw.errors import ExportError
from bvit_hw.export.ops import DOMAIN
from bvit_hw.qonnx.emitter import QONNX_DOMAIN, Emitter
from bvit_hw.qonnx.operators import OPERATORS
from bvit_hw.qonnx.operators.base import datatype_of, shape_of

OPSET = 17
#: layout of nodes and metadata, docs/qonnx.md
FORMAT = "2"
#: what a reader takes; in format 1 Quant itself rounded down, with no Floor in front
READABLE = ("1", FORMAT)


def _wrap(model: onnx.ModelProto) -> ModelWrapper:
    # Our initializers have their shape information; looking for missing ones takes minutes in a large network.
    return ModelWrapper(model, fix_missing_initializer_valueinfo=False)


def to_qonnx(graph: FrozenGraph) -> ModelWrapper:
    """The graph as a QONNX model; raises :class:`FreezeError` if it is not exact in float32."""
    check_exact(graph)
    emitter = Emitter()
    source = graph.tensors[graph.input]
    emitter.declare(source.name, shape_of(source), datatype_of(source))
    for node in graph.nodes:
        if node.op not in OPERATORS:
            raise ExportError(f"{node.output}: operation {node.op!r} has no QONNX pattern")
        inputs = [graph.tensors[name] for name in node.inputs]
        OPERATORS[node.op].write(emitter, node, inputs, graph.tensors[node.output])
    model = helper.make_model(
        emitter.graph("binaryvit", [graph.input], [graph.output]),
        producer_name="bvit-hw",
        producer_version=__version__,
        opset_imports=[
            helper.make_opsetid("", OPSET), helper.make_opsetid(QONNX_DOMAIN, 1), helper.make_opsetid(DOMAIN, 1)
        ],
    )  # fmt: skip
    model.ir_version = 8
    exponents = {name: tensor.exponent for name, tensor in graph.tensors.items()}
    wrapper = _wrap(model)
    for key, value in {
        "bvit.format": FORMAT,
        "bvit.model_hash": model_hash(graph),
        "bvit.config": json.dumps(graph.config, sort_keys=True),
        "bvit.exponents": json.dumps(exponents, sort_keys=True),
    }.items():
        wrapper.set_metadata_prop(key, value)
    return wrapper


def export_qonnx(graph: FrozenGraph, path: Path | str) -> ModelWrapper:
    """Write ``graph`` to ``path``, atomically, and return the model; the same graph gives the same bytes."""
    model = to_qonnx(graph)
    write_model(model.model, Path(path))
    return model


def write_model(model: onnx.ModelProto, path: Path) -> None:
    """Write ``model`` to ``path`` under a temporary name first; raises ExportError naming the file."""
    try:
        write_aside(path, model.SerializeToString(deterministic=True))
    except OSError as error:
        raise ExportError(f"{path}: cannot be written: {error.strerror or error}") from error


def load_qonnx(path: Path | str) -> ModelWrapper:
    """Read a file of :func:`export_qonnx`; anything else raises :class:`ExportError` naming the file and the reason."""
    path = Path(path)
    try:
        model = onnx.load_model_from_string(path.read_bytes())
        onnx.checker.check_model(model)
    except OSError as error:
        raise ExportError(f"{path}: cannot be read: {error.strerror or error}") from error
    except (DecodeError, onnx.checker.ValidationError) as error:
        raise ExportError(f"{path}: not a valid ONNX file: {error}") from error
    wrapper = _wrap(model)
    found = wrapper.get_metadata_prop("bvit.format")
    if found not in READABLE:
        readable = " and ".join(map(repr, READABLE))
        raise ExportError(f"{path}: bvit.format is {found!r}; this version reads {readable}, written by export_qonnx")
    return wrapper
