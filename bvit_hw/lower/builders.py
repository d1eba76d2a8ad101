"""The hardware operator for one node of the integer contract, folded as slowly as possible.

Lowering passes recognise a node of docs/contract.md in the QONNX graph and ask here for the operator; nothing else
decides how fields of an operator follow from shapes, widths and parameters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import LoweringError
from bvit_hw.lower.graph import HwGraph, HwNode
from bvit_hw.ops.base import HwOp, Params, signed_bits
from bvit_hw.ops.registry import from_attributes

#: kind of contract node -> operator, where the names differ
OPERATORS: Mapping[str, str] = {"BinaryLinear": "BinaryMVAU", "IntLinear": "IntMVAU"}


def _bits(values: np.ndarray) -> int:
    return signed_bits(int(values.min()), int(values.max()))


def _tokens(tensor: FrozenTensor) -> int:
    return tensor.height * tensor.width


def _integers(value: int | Sequence[int]) -> tuple[int, ...]:
    return (int(value),) if isinstance(value, int) else tuple(int(v) for v in value)


def _affine_fields(
    attrs: Mapping[str, Any], inputs: Sequence[FrozenTensor], output: FrozenTensor, params: Params
) -> dict[str, Any]:
    prelu = bool(attrs["prelu"])
    fields = {
        "tokens": _tokens(output),
        "channels": output.channels,
        "in_bits": tuple(t.bits for t in inputs),
        "multiply": _integers(attrs["multiply"]),
        "shift": _integers(attrs["shift"]),
        # Widths of parameters that there are none of take the operator's default.
        "coef_bits": int(attrs["coef_bits"]) if any(_integers(attrs["multiply"])) else 8,
        "bias_bits": _bits(params["bias"]),
        "bias_tokens": len(params["bias"]),
        "prelu": int(prelu),
        "out_shift": int(attrs["out_shift"]),
        "out_bits": output.bits,
        "mid_shift": int(attrs["mid_shift"]) if prelu else 0,
        "slope_bits": int(attrs["slope_bits"]) if prelu else 8,
        "slope_shift": int(attrs["slope_shift"]) if prelu else 0,
        "bias2_bits": _bits(params["bias2"]) if prelu else 1,
        "bias2_tokens": len(params["bias2"]) if prelu else 1,
    }
    return {**fields, "pe": 1, "use_dsp": 0}


def _fields(
    op: str, attrs: Mapping[str, Any], inputs: Sequence[FrozenTensor], output: FrozenTensor, params: Params
) -> dict[str, Any]:
    x = inputs[0]
    if op == "BinaryLinear":
        return {"tokens": _tokens(x), "cols": x.channels, "rows": output.channels, "simd": 1, "pe": 1}
    if op == "IntLinear":
        return {
            "tokens": _tokens(x), "cols": x.channels, "rows": output.channels, "in_bits": x.bits,
            "in_signed": int(x.signed), "weight_bits": int(attrs["weight_bits"]), "acc_bits": output.bits,
            "simd": 1, "pe": 1, "use_dsp": 0,
        }  # fmt: skip
    if op == "ChannelAffine":
        return _affine_fields(attrs, inputs, output, params)
    if op == "Binarize":
        return {"tokens": _tokens(x), "channels": x.channels, "in_bits": x.bits, "pe": 1}
    if op == "SpatialPool":
        return {
            "height": x.height, "width": x.width, "channels": x.channels, "window_h": int(attrs["window_h"]),
            "window_w": int(attrs["window_w"]), "in_bits": x.bits, "pe": 1,
        }  # fmt: skip
    if op == "ChannelPool":
        return {
            "tokens": _tokens(x), "channels": x.channels, "group": int(attrs["group"]), "in_bits": x.bits, "pe": 1,
        }  # fmt: skip
    if op == "ChannelRepeat":
        return {
            "tokens": _tokens(x), "channels": x.channels, "repeat": int(attrs["repeat"]), "bits": x.bits,
            "signed": int(x.signed), "pe": 1,
        }  # fmt: skip
    if op == "Upsample":
        return {
            "height": output.height, "width": output.width, "channels": x.channels, "factor": int(attrs["factor"]),
            "bits": x.bits, "signed": int(x.signed), "pe": 1,
        }  # fmt: skip
    if op == "MultiPool":
        return {
            "height": x.height, "width": x.width, "channels": x.channels, "in_bits": x.bits,
            "coef_bits": int(attrs["coef_bits"]), "bias_bits": _bits(params["bias"]),
            "out_shift": int(attrs["out_shift"]), "out_bits": output.bits, "pe": 1, "use_dsp": 0,
        }  # fmt: skip
    if op == "BinaryAttention":
        heads = int(attrs["heads"])
        return {
            "queries": _tokens(x), "keys": _tokens(inputs[1]), "heads": heads, "head_dim": x.channels // heads,
            "table_bits": int(attrs["table_bits"]), "table_shift": int(attrs["table_shift"]),
            "simd": 1, "kp": 1, "mp": 1, "pe": 1,
        }  # fmt: skip
    if op == "PatchGather":
        height, width, channels = x.height, x.width, x.channels
        window_h, window_w = int(attrs["window_h"]), int(attrs["window_w"])
        if not x.binary and not x.signed:
            # A window's row of pixels is one token: the order (ky, kx, c) stays, and lanes may span pixels.
            width, channels, window_w = width // window_w, channels * window_w, 1
        return {
            "height": height, "width": width, "channels": channels, "window_h": window_h, "window_w": window_w,
            "bits": x.bits, "signed": int(x.signed), "pe": 1,
        }  # fmt: skip
    raise LoweringError(f"{output.name}: contract node {op!r} has no hardware operator")


def build_op(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> tuple[HwOp, Params]:
    """The operator, in its slowest folding, and its parameters for a contract node.

    Raises LoweringError when there is none or its result does not have the width that the contract's tensor has.
    """
    inputs = [tensors[name] for name in node.inputs]
    output = tensors[node.output]
    params = {name: np.asarray(value) for name, value in node.params.items()}
    op = from_attributes(OPERATORS.get(node.op, node.op), _fields(node.op, node.attrs, inputs, output, params))
    op.check_params(params)
    stream = op.outputs[0]
    found = (stream.tokens * stream.channels, stream.bits, stream.signed)
    wanted = (_tokens(output) * output.channels, output.bits, output.signed)
    if found != wanted:
        raise LoweringError(
            f"{node.output}: {op.op_type} gives (values, bits, signed) = {found}, the contract says {wanted}"
        )
    return op, params


def hw_graph_of(frozen: FrozenGraph, name: str = "bvit") -> HwGraph:
    """The hardware graph straight from a frozen one, without QONNX between (lowering gives the same; tests say so)."""
    nodes = []
    for node in frozen.nodes:
        op, params = build_op(node, frozen.tensors)
        nodes.append(HwNode(name=node.output, op=op, inputs=node.inputs, outputs=(node.output,), params=params))
    graph = HwGraph(name=name, nodes=tuple(nodes), input=frozen.input, output=frozen.output)
    graph.check()
    return graph
