"""A QONNX model in standard ONNX operators only, for onnxruntime and others: the same integers, any number of images.

Quant, BipolarQuant and BinaryAttention become what the integer contract says of them; all other nodes stay as they are.
The table is in docs/qonnx.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import NodeProto, TensorProto, helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper

from bvit_hw import __version__
from bvit_hw.contract import EXACT_BITS, FrozenGraph
from bvit_hw.errors import ExportError
from bvit_hw.qonnx.batch import per_image
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.file import READABLE, to_qonnx, write_model

#: name of the images' axis
BATCH = "N"
#: bvit.format of such a file, which load_qonnx refuses
PLAIN_FORMAT = "plain-1"


def to_plain_onnx(model: ModelWrapper) -> onnx.ModelProto:
    """``model`` (of to_qonnx or load_qonnx) without custom operators; its first axis is free.

    Named tensors keep their names and integers. Raises :class:`ExportError` naming a node that export_qonnx does not
    write: another Quant, or an operator of another domain.
    """
    plain = _Plain(model.model)
    for node in model.graph.node:
        plain.write(node)
    return plain.finish()


def export_onnx(graph: FrozenGraph, path: Path | str) -> onnx.ModelProto:
    """Write ``graph`` to ``path`` in standard operators, atomically; the same graph gives the same bytes."""
    model = to_plain_onnx(to_qonnx(graph))
    write_model(model, Path(path))
    return model


class _Plain:
    """The model under construction, and look-ups in the one that it is made of."""

    def __init__(self, source: onnx.ModelProto) -> None:
        self.source = source
        self.emitter = Emitter()
        graph = source.graph
        infos = [*graph.input, *graph.output, *graph.value_info]
        self.shapes = {i.name: tuple(d.dim_value for d in i.type.tensor_type.shape.dim) for i in infos}
        self.emitter.infos |= {info.name: info for info in infos}
        self.emitter.initializers |= {tensor.name: tensor for tensor in graph.initializer}
        self.floored = {node.output[0] for node in graph.node if node.op_type == "Floor"}
        self.writers: Mapping[str, Callable[[NodeProto], None]] = {
            "Quant": self._quant,
            "BipolarQuant": self._bipolar_quant,
            "BinaryAttention": self._attention,
        }

    def write(self, node: NodeProto) -> None:
        """Append ``node``, or what says the same in standard operators."""
        if not node.domain:
            self.emitter.nodes.append(node)
        elif node.op_type in self.writers:
            self.writers[node.op_type](node)
        else:
            raise ExportError(f"{node.name}: {node.op_type} of {node.domain} is not written by export_qonnx")

    def _constant(self, name: str) -> np.ndarray:
        """The value of an initializer."""
        if name not in self.emitter.initializers:
            raise ExportError(f"{name}: must be a constant")
        value: np.ndarray = numpy_helper.to_array(self.emitter.initializers[name])
        return value

    def _quant(self, node: NodeProto) -> None:
        x, *rest = node.input
        scale, zero, bits = (float(self._constant(name).item()) for name in rest)
        attributes = _attributes(node)
        mode, signed, narrow = (attributes.get(key) for key in ("rounding_mode", "signed", "narrow"))
        floored = x in self.floored
        if (scale, zero, signed, narrow) != (1.0, 0.0, 1, 0) or (mode != "FLOOR" and not floored):
            raise ExportError(
                f"{node.name}: Quant (mode, signed, narrow, scale, zero) {(mode, signed, narrow, scale, zero)} is not "
                "written by export_qonnx: (FLOOR, 1, 0, 1, 0), or any mode after Floor"
            )
        e, y = self.emitter, node.output[0]
        if not floored:
            x = e.node("Floor", [x], f"{x}_floor", self.shapes[y])
        low, high = e.scalar(-(2.0 ** (bits - 1))), e.scalar(2.0 ** (bits - 1) - 1)
        e.node("Clip", [x, low, high], y, self.shapes[y])

    def _bipolar_quant(self, node: NodeProto) -> None:
        x, scale = node.input
        if (found := self._constant(scale)).size != 1 or found.item() != 1:
            raise ExportError(f"{node.name}: BipolarQuant of scale {found.tolist()}; export_qonnx writes 1")
        e, y = self.emitter, node.output[0]
        positive = e.node(
            "GreaterOrEqual", [x, e.scalar(0.0)], f"{y}/positive", self.shapes[y], element=TensorProto.BOOL
        )
        e.node("Where", [positive, e.scalar(1.0), e.scalar(-1.0)], y, self.shapes[y])

    def _attention(self, node: NodeProto) -> None:
        """Attended where E * 2^shift > T * sum of E: where that sum is at most a limit, which is a table over E too."""
        q, k, v, table_name, threshold = node.input
        e, y, attributes = self.emitter, node.output[0], _attributes(node)
        heads = attributes["heads"]
        (_, rows, cols, channels), (_, key_rows, key_cols, _) = self.shapes[q], self.shapes[k]
        queries, keys, dim = rows * cols, key_rows * key_cols, channels // heads
        table = np.rint(self._constant(table_name)).astype(np.int64)
        most = keys * int(table.max(initial=0))
        limits = _limits(table, int(self._constant(threshold).item()), attributes["table_shift"], most)
        # float32 holds the sum of a row exactly up to 2^24, which is up to 512 keys of 15 bits; beyond it int32 does.
        if most >= 1 << 31:
            raise ExportError(f"{node.name}: the sum of {keys} table entries can reach {most}, beyond 32 bits")
        element = TensorProto.FLOAT if most < 1 << EXACT_BITS else TensorProto.INT32
        dtype = helper.tensor_dtype_to_np_dtype(element)

        def split(x: str, part: str, tokens: int, perm: tuple[int, ...]) -> str:
            cut = e.reshape(x, f"{y}/{part}_cut", (1, tokens, heads, dim), None)
            shape = (1, tokens, heads, dim)
            return e.node("Transpose", [cut], f"{y}/{part}", [shape[axis] for axis in perm], perm=perm)

        grid = (1, heads, queries, keys)
        left = split(q, "q", queries, (0, 2, 1, 3))
        right = split(k, "k", keys, (0, 2, 3, 1))
        values = split(v, "v", keys, (0, 2, 1, 3))
        dot = e.node("MatMul", [left, right], f"{y}/dot", grid)
        # d channels of which p are equal have the product 2 p - d
        half = e.node("Mul", [dot, e.scalar(0.5)], f"{y}/half", grid)
        equal = e.node("Add", [half, e.scalar(dim / 2)], f"{y}/equal", grid)
        index = e.node("Cast", [equal], f"{y}/index", grid, element=TensorProto.INT32, to=TensorProto.INT32)
        stored = e.constant(f"{y}/entries", table.astype(dtype))
        entries = e.node("Gather", [stored, index], f"{y}/entry", grid, element=element, axis=0)
        total = e.node(
            "ReduceSum", [entries, e.indices((3,))], f"{y}/total", (*grid[:3], 1), element=element, keepdims=1
        )
        stored = e.constant(f"{y}/limits", limits.astype(dtype))
        limit = e.node("Gather", [stored, index], f"{y}/limit", grid, element=element, axis=0)
        attended = e.node(
            "LessOrEqual", [total, limit], f"{y}/attended", grid, element=TensorProto.BOOL
        )  # fmt: skip
        mask = e.node("Cast", [attended], f"{y}/mask", grid, to=TensorProto.FLOAT)
        out = e.node("MatMul", [mask, values], f"{y}/sum", (1, heads, queries, dim))
        merged = e.node("Transpose", [out], f"{y}/merged", (1, queries, heads, dim), perm=(0, 2, 1, 3))
        e.reshape(merged, y, self.shapes[y], None)

    def finish(self) -> onnx.ModelProto:
        """The model: what nobody uses left out, the images' axis free, metadata where ONNX has it."""
        e, graph = self.emitter, self.source.graph
        used = {name for node in e.nodes for name in node.input}
        known = used | {name for node in e.nodes for name in node.output}
        e.initializers = {name: tensor for name, tensor in e.initializers.items() if name in used}
        ends = [*graph.input, *graph.output]
        e.infos = {name: info for name, info in e.infos.items() if name in known or info in ends}
        _free_batch(e, [info.name for info in graph.input])
        model = helper.make_model(
            e.graph(graph.name, [i.name for i in graph.input], [o.name for o in graph.output]),
            producer_name="bvit-hw",
            producer_version=__version__,
            opset_imports=[opset for opset in self.source.opset_import if not opset.domain],
        )
        model.ir_version = self.source.ir_version
        found = {prop.key: prop.value for prop in graph.metadata_props}
        if found.get("bvit.format") not in READABLE:
            raise ExportError(
                f"bvit.format is {found.get('bvit.format')!r}: not a QONNX model of to_qonnx or load_qonnx"
            )
        helper.set_model_props(model, found | {"bvit.format": PLAIN_FORMAT})
        return model


def _limits(table: np.ndarray, threshold: int, shift: int, most: int) -> np.ndarray:
    """For each table entry E the largest sum S, at most ``most``, for which E * 2^shift > threshold * S; -1: none."""
    scaled = [int(entry) << shift for entry in table]
    if threshold == 0:
        return np.array([most if value > 0 else -1 for value in scaled])
    # E * 2^shift - 1 >= T * S, so S <= floor((E * 2^shift - 1) / T); Python's division rounds down
    return np.array([min((value - 1) // threshold, most) for value in scaled]).clip(min=-1)


def _attributes(node: NodeProto) -> dict[str, Any]:
    found = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return {name: value.decode() if isinstance(value, bytes) else value for name, value in found.items()}


def _free_batch(emitter: Emitter, inputs: Iterable[str]) -> None:
    """Name the first axis of all that depends on ``inputs``, where its shape is known."""
    for name in per_image(emitter.nodes, inputs) & emitter.infos.keys():
        info = onnx.ValueInfoProto()
        info.CopyFrom(emitter.infos[name])
        info.type.tensor_type.shape.dim[0].dim_param = BATCH
        emitter.infos[name] = info
