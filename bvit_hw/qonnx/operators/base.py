"""What each operator's file is made of: how a node of the contract is written in ONNX nodes, and read back from them.

The table is in docs/qonnx.md.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from bvit_hw.contract import FrozenNode, FrozenTensor
from bvit_hw.contract.interval import bits_of
from bvit_hw.qonnx.emitter import Emitter
from bvit_hw.qonnx.pattern import Pattern

Shape = tuple[int, int, int, int]

#: axes of channels first from channels last, and back
TO_NCHW = (0, 3, 1, 2)
TO_NHWC = (0, 2, 3, 1)


class QonnxOperator(ABC):
    """One kind of node of docs/contract.md as a pattern of ONNX nodes; the class is called like the kind."""

    @abstractmethod
    def write(self, e: Emitter, node: FrozenNode, inputs: Sequence[FrozenTensor], out: FrozenTensor) -> None:
        """Append the pattern of ``node``."""

    @abstractmethod
    def read(self, pattern: Pattern) -> FrozenNode | None:
        """The node that ``pattern`` writes; None where it is another operator's.

        Raises LoweringError where the pattern is this operator's but not as :meth:`write` has it.
        """


def shape_of(tensor: FrozenTensor) -> Shape:
    """Shape of a tensor in QONNX: one image, channels last."""
    return (1, tensor.height, tensor.width, tensor.channels)


def datatype_of(tensor: FrozenTensor) -> str:
    """QONNX datatype of a tensor; a binary one is BIPOLAR, -1 / +1."""
    if tensor.binary:
        return "BIPOLAR"
    return f"{'INT' if tensor.signed else 'UINT'}{tensor.bits}"


def integer_type(values: np.ndarray) -> str:
    """Smallest signed QONNX datatype that holds ``values``."""
    return f"INT{bits_of(values)}"


def floats(values: np.ndarray) -> np.ndarray:
    """Integers as all of QONNX holds them."""
    return np.asarray(values).astype(np.float32)


def write_rounded(e: Emitter, x: str, out: FrozenTensor, shift: int) -> None:
    """Last nodes of everything that rounds: the scale of the shift, then floor and saturation."""
    shape = shape_of(out)
    scaled = e.node("Mul", [x, e.scalar(2.0**-shift)], f"{out.name}/scaled", shape)
    e.quant(scaled, out.name, shape, out.bits)


def read_rounded(pattern: Pattern, out: FrozenTensor) -> tuple[str, int]:
    """What :func:`write_rounded` rounds, and the shift."""
    scaled, bits = pattern.quant(pattern.output)
    pattern.expect(bits == out.bits, f"Quant to {bits} bits, but the datatype has {out.bits}")
    x, exponent = pattern.scaled(scaled)
    return x, -exponent
