"""Find an operator's class by its name, and rebuild an operator from the attributes of a graph node."""

from __future__ import annotations

import dataclasses
import importlib
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from bvit_hw.errors import LoweringError
from bvit_hw.ops.base import HwOp

#: op_type -> module of bvit_hw.ops that holds the class of that name
MODULES: Mapping[str, str] = {
    "BinaryAttention": "binary_attention",
    "BinaryMVAU": "binary_mvau",
    "Binarize": "binarize",
    "ChannelAffine": "channel_affine",
    "ChannelPool": "channel_pool",
    "ChannelRepeat": "channel_repeat",
    "Duplicate": "duplicate",
    "Fifo": "fifo",
    "IntMVAU": "int_mvau",
    "MultiPool": "multi_pool",
    "PatchGather": "patch_gather",
    "SpatialPool": "spatial_pool",
    "Upsample": "upsample",
    "WidthConverter": "width_converter",
}


@cache
def op_class(op_type: str) -> type[HwOp]:
    """The class of the operator ``op_type``; raises LoweringError for a name that is none."""
    if op_type not in MODULES:
        raise LoweringError(f"{op_type!r} is no hardware operator; known: {', '.join(MODULES)}")
    module = importlib.import_module(f"bvit_hw.ops.{MODULES[op_type]}")
    cls = getattr(module, op_type)
    assert isinstance(cls, type) and issubclass(cls, HwOp) and cls.op_type == op_type, op_type
    return cls


@cache
def hls_op_types() -> tuple[str, ...]:
    """Operators that have an HLS template."""
    return tuple(name for name in MODULES if op_class(name).has_hls())


@cache
def field_types(op_type: str) -> dict[str, type]:
    """Field name -> ``int``, ``bool``, ``str`` or ``tuple`` (of integers) of the operator ``op_type``."""
    cls = op_class(op_type)
    hints = typing.get_type_hints(cls)
    types: dict[str, type] = {}
    for f in dataclasses.fields(cls):
        hint = typing.get_origin(hints[f.name]) or hints[f.name]
        if hint not in (int, bool, str, tuple):
            hint = str  # a Literal of strings
        types[f.name] = hint
    return types


def from_attributes(op_type: str, attributes: Mapping[str, Any]) -> HwOp:
    """The operator with these field values (integers, strings or sequences of integers).

    Raises LoweringError for a missing or unknown field, and what the operator's own check raises.
    """
    types = field_types(op_type)
    unknown = sorted(set(attributes) - set(types))
    required = {
        f.name
        for f in dataclasses.fields(op_class(op_type))
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    }
    missing = sorted(required - set(attributes))
    if unknown or missing:
        raise LoweringError(f"{op_type}: missing fields {missing}, unknown fields {unknown}; fields: {sorted(types)}")
    values: dict[str, Any] = {}
    for name, value in attributes.items():
        if types[name] is tuple:
            values[name] = tuple(int(v) for v in value)
        elif types[name] is str:
            values[name] = value.decode() if isinstance(value, bytes) else str(value)
        else:
            values[name] = types[name](value)
    return op_class(op_type)(**values)
