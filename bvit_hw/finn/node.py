"""Hardware operators as nodes of an ONNX graph, in the domain where FINN looks for its operators.

Fields of the operator are attributes; streams are the first inputs, parameters follow as integer initializers in the
order of the attribute ``param_names``. Tensors keep the shape 1 x H x W x C and the datatype that they have in QONNX:
a binary one is BIPOLAR, -1 / +1, and only the operator's golden function sees bits.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from onnx import NodeProto, helper

from bvit_hw.ops.base import HwOp, IntArray, Params
from bvit_hw.ops.registry import field_types, from_attributes

#: FINN's domain for operators before and after SpecializeLayers
HW_DOMAIN = "finn.custom_op.fpgadataflow"
RTL_DOMAIN = "finn.custom_op.fpgadataflow.rtl"
HLS_DOMAIN = "finn.custom_op.fpgadataflow.hls"
RTL_SUFFIX = "_rtl"
HLS_SUFFIX = "_hls"

Shape = tuple[int, ...]


def is_hw(node: NodeProto) -> bool:
    """Whether the node is a hardware operator."""
    return node.domain in (HW_DOMAIN, RTL_DOMAIN, HLS_DOMAIN)


def base_type(node: NodeProto) -> str:
    """The operator's name, without the suffix of its RTL or HLS variant."""
    return str(node.op_type).removesuffix(RTL_SUFFIX).removesuffix(HLS_SUFFIX)


def make_hw_node(
    name: str,
    op: HwOp,
    inputs: Sequence[str],
    outputs: Sequence[str],
    params: Sequence[tuple[str, str]],
    shapes: Mapping[str, Shape],
) -> NodeProto:
    """The node of ``op``; ``params`` are (parameter, initializer) pairs, ``shapes`` those of the streams' tensors."""
    fields: dict[str, Any] = {
        key: list(value) if isinstance(value, tuple) else int(value) if not isinstance(value, str) else value
        for key, value in op.attributes().items()
    }
    return helper.make_node(
        op.op_type,
        [*inputs, *(tensor for _, tensor in params)],
        list(outputs),
        name=name,
        domain=HW_DOMAIN,
        backend="fpgadataflow",
        param_names=[key for key, _ in params] or [""],
        in_shapes=[d for t in inputs for d in shapes[t]],
        out_shapes=[d for t in outputs for d in shapes[t]],
        **fields,
    )


def op_of(node: NodeProto) -> HwOp:
    """The operator that a node stands for."""
    values = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    kind = base_type(node)
    return from_attributes(kind, {name: values[name] for name in field_types(kind) if name in values})


def param_names(node: NodeProto) -> list[str]:
    """Names of the node's parameters, in the order of its last inputs."""
    for attribute in node.attribute:
        if attribute.name == "param_names":
            return [text.decode() for text in attribute.strings if text]
    return []


def to_frames(op: HwOp, values: Sequence[np.ndarray]) -> list[IntArray]:
    """ONNX tensors (float32, binary ones -1 / +1) as frames, tokens x channels, of the operator's inputs."""
    frames: list[IntArray] = []
    for value, stream in zip(values, op.inputs, strict=True):
        integers = np.asarray(value).astype(np.int64).reshape(stream.tokens, stream.channels)
        frames.append((integers + 1) // 2 if _binary(stream.bits, stream.signed) else integers)
    return frames


def from_frames(op: HwOp, frames: Sequence[np.ndarray], out_shapes: Sequence[Shape]) -> list[np.ndarray]:
    """Frames of the operator's outputs as ONNX tensors."""
    results = []
    for frame, stream, shape in zip(frames, op.outputs, out_shapes, strict=True):
        integers = 2 * frame - 1 if _binary(stream.bits, stream.signed) else frame
        results.append(integers.reshape(shape).astype(np.float32))
    return results


def run_golden(op: HwOp, params: Params, values: Sequence[np.ndarray], out_shapes: Sequence[Shape]) -> list[np.ndarray]:
    """The operator on ONNX tensors: the golden function with conversions around it."""
    return from_frames(op, op.golden(params, *to_frames(op, values)), out_shapes)


def _binary(bits: int, signed: bool) -> bool:
    return bits == 1 and not signed


def datatype_name(bits: int, signed: bool) -> str:
    """QONNX's name for a stream's datatype."""
    return "BIPOLAR" if _binary(bits, signed) else f"{'INT' if signed else 'UINT'}{bits}"
