"""The integer contract: what freezing leaves of a network, as data.

A :class:`FrozenGraph` is a list of nodes in execution order over integer tensors. Kinds of node and their arithmetic
are fixed in docs/contract.md; everything downstream (PyTorch execution, QONNX, hardware graph, RTL) follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

#: every product and partial sum stays below 2**EXACT_BITS in magnitude, so that float32 execution is exact
EXACT_BITS = 24


@dataclass(frozen=True, kw_only=True)
class FrozenTensor:
    """An integer tensor on a token grid: ``height`` x ``width`` tokens of ``channels``; real = integer * 2**exponent.

    ``bits=1, signed=False`` is a binary tensor: 1 stands for +1, 0 for -1 (exponent 0).
    """

    name: str
    height: int
    width: int
    channels: int
    bits: int
    signed: bool
    exponent: int = 0

    @property
    def tokens(self) -> int:
        """Tokens of the grid."""
        return self.height * self.width

    @property
    def binary(self) -> bool:
        """Whether the tensor holds +1 / -1 as bits."""
        return self.bits == 1 and not self.signed


@dataclass(frozen=True, kw_only=True)
class FrozenNode:
    """One operation: ``op`` is a kind of docs/contract.md, the node bears its output tensor's name.

    ``attrs`` are integers or tuples of integers, ``params`` integer arrays.
    """

    op: str
    inputs: tuple[str, ...]
    output: str
    attrs: Mapping[str, Any] = field(default_factory=dict)
    params: Mapping[str, np.ndarray] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FrozenGraph:
    """A frozen network: its tensors by name, its nodes in execution order, one input (uint8 pixels), one output.

    ``config`` is the model configuration it came from, as JSON-ready data.
    """

    tensors: Mapping[str, FrozenTensor]
    nodes: tuple[FrozenNode, ...]
    input: str
    output: str
    config: Mapping[str, object]
