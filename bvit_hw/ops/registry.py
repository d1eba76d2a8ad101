"""Finds the operators, and makes them: by name and attributes of a graph node, or for a node of the contract."""

from __future__ import annotations

import dataclasses
import importlib
import pkgutil
import typing
from collections.abc import Mapping
from functools import cache
from typing import Any

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.errors import LoweringError
from bvit_hw.ops.base import HwOp


@cache
def operators() -> Mapping[str, type[HwOp]]:
    """op_type -> class of every operator of this package: a module that has one is all that it takes."""
    package = importlib.import_module(__package__)
    found: dict[str, type[HwOp]] = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{__package__}.{info.name}")
        for cls in vars(module).values():
            own = isinstance(cls, type) and issubclass(cls, HwOp) and cls.__module__ == module.__name__
            if own and "op_type" in vars(cls):
                assert cls.op_type == cls.__name__ and cls.op_type not in found, cls
                found[cls.op_type] = cls
    return dict(sorted(found.items()))


def op_class(op_type: str) -> type[HwOp]:
    """The class of the operator ``op_type``; raises LoweringError for a name that is none."""
    found = operators()
    if op_type not in found:
        raise LoweringError(f"{op_type!r} is no hardware operator; known: {', '.join(found)}")
    return found[op_type]


@cache
def hls_op_types() -> tuple[str, ...]:
    """Operators that have an HLS template."""
    return tuple(name for name, cls in operators().items() if cls.has_hls())


def from_contract(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> HwOp:
    """The operator, folded as slowly as possible, for a node of the contract; LoweringError where there is none."""
    for cls in operators().values():
        if cls.contract_node == node.op:
            return cls.from_contract(node, tensors)
    raise LoweringError(f"{node.output}: contract node {node.op!r} has no hardware operator")


@cache
def field_types(op_type: str) -> dict[str, type]:
    """Field name -> ``int``, ``bool``, ``str`` or ``tuple`` (of integers) of the operator ``op_type``."""
    cls = op_class(op_type)
    hints = typing.get_type_hints(cls)
    types: dict[str, type] = {}
    for name in cls.attribute_names():
        hint = typing.get_origin(hints[name]) or hints[name]
        if hint not in (int, bool, str, tuple):
            hint = str  # a Literal of strings
        types[name] = hint
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
