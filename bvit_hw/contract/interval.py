"""Interval arithmetic on integers, an interval a channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .nodes import FrozenTensor

IntArray = NDArray[np.int64]


def signed_bits(low: int, high: int) -> int:
    """Smallest two's-complement width that holds every integer in [low, high]."""
    return max(high.bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def bits_of(values: np.ndarray) -> int:
    """Smallest two's-complement width that holds every one of ``values``."""
    return signed_bits(int(values.min()), int(values.max()))


@dataclass(frozen=True)
class Interval:
    """Bounds, both reached or safe, of a value: arrays over channels (or scalars)."""

    low: IntArray
    high: IntArray

    @classmethod
    def of(cls, tensor: FrozenTensor) -> Interval:
        """Everything that the declared width of ``tensor`` can hold; a binary tensor counts as -1..1."""
        if tensor.binary:
            return cls(np.array(-1), np.array(1))
        low = -(1 << (tensor.bits - 1)) if tensor.signed else 0
        return cls(np.array(low), np.array((1 << (tensor.bits - tensor.signed)) - 1))

    @classmethod
    def of_constant(cls, values: np.ndarray) -> Interval:
        """Interval of a stored constant (1 or tokens) x C, per channel over all tokens."""
        wide = np.asarray(values, dtype=np.int64)
        return cls(wide.min(axis=0), wide.max(axis=0))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def scaled(self, factor: IntArray | int) -> Interval:
        """Interval of the product with ``factor`` (of either sign)."""
        a, b = self.low * factor, self.high * factor
        return Interval(np.minimum(a, b), np.maximum(a, b))

    def shifted_right(self, bits: int) -> Interval:
        """Interval after an arithmetic right shift."""
        return Interval(self.low >> bits, self.high >> bits)

    @property
    def peak(self) -> int:
        """Largest magnitude."""
        return int(max(np.max(-self.low), np.max(self.high)))

    def fits(self, bits: int) -> bool:
        """Whether a two's-complement integer of ``bits`` holds the whole interval."""
        return bool(np.min(self.low) >= -(1 << (bits - 1)) and np.max(self.high) < (1 << (bits - 1)))
