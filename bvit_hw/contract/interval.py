"""Interval arithmetic on integers, an interval a channel."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from .nodes import FrozenTensor

IntArray = NDArray[np.int64]


def signed_bits(low: int, high: int) -> int:
    """Smallest two's-complement width that holds every integer in [low, high]."""
    return max(max(high, 0).bit_length(), (-low - 1).bit_length() if low < 0 else 0) + 1


def bits_of(values: np.ndarray) -> int:
    """Smallest two's-complement width that holds every one of ``values``."""
    return signed_bits(int(values.min()), int(values.max()))


@dataclass(frozen=True)
class Interval:
    """Bounds, both reached or safe, of a value: arrays over channels, or Python integers, which stay exact."""

    low: IntArray | int
    high: IntArray | int

    @classmethod
    def of(cls, tensor: FrozenTensor) -> Interval:
        """Everything that the declared width of ``tensor`` can hold; a binary tensor counts as -1..1."""
        if tensor.binary:
            return cls(np.array(-1), np.array(1))
        low = -(1 << (tensor.bits - 1)) if tensor.signed else 0
        return cls(np.array(low), np.array((1 << (tensor.bits - tensor.signed)) - 1))

    @classmethod
    def twos_complement(cls, bits: int) -> Interval:
        """Every integer that a two's-complement word of ``bits`` holds, in Python integers."""
        return cls(-(1 << (bits - 1)), (1 << (bits - 1)) - 1)

    @classmethod
    def of_constant(cls, values: np.ndarray) -> Interval:
        """Interval of a stored constant (1 or tokens) x C, per channel over all tokens."""
        wide = np.asarray(values, dtype=np.int64)
        return cls(wide.min(axis=0), wide.max(axis=0))

    def __add__(self, other: Interval) -> Interval:
        return Interval(self.low + other.low, self.high + other.high)

    def scaled(self, factor: IntArray | int) -> Interval:
        """Interval of the product with ``factor`` (of either sign)."""
        return self.times(Interval(factor, factor))

    def times(self, other: Interval) -> Interval:
        """Interval of the product with any value of ``other``."""
        products = [a * b for a in (self.low, self.high) for b in (other.low, other.high)]
        return Interval(_least(*products), _most(*products))

    def clipped(self, low: int | None, high: int | None) -> Interval:
        """Interval of the value limited to ``low`` and ``high``; None sets no limit."""
        bounds = [self.low, self.high]
        if low is not None:
            bounds = [_most(bound, low) for bound in bounds]
        if high is not None:
            bounds = [_least(bound, high) for bound in bounds]
        return Interval(*bounds)

    def joined(self, other: Interval) -> Interval:
        """Smallest interval that holds both."""
        return Interval(_least(self.low, other.low), _most(self.high, other.high))

    def shifted_right(self, bits: int) -> Interval:
        """Interval after an arithmetic right shift."""
        return Interval(self.low >> bits, self.high >> bits)

    @property
    def bits(self) -> int:
        """Smallest two's-complement width that holds the whole interval."""
        return signed_bits(int(np.min(self.low)), int(np.max(self.high)))

    @property
    def peak(self) -> int:
        """Largest magnitude."""
        return int(max(np.max(-self.low), np.max(self.high)))

    def fits(self, bits: int) -> bool:
        """Whether a two's-complement integer of ``bits`` holds the whole interval."""
        return bool(np.min(self.low) >= -(1 << (bits - 1)) and np.max(self.high) < (1 << (bits - 1)))


def _least(*bounds: IntArray | int) -> IntArray | int:
    return min(bounds) if all(isinstance(b, int) for b in bounds) else reduce(np.minimum, bounds)


def _most(*bounds: IntArray | int) -> IntArray | int:
    return max(bounds) if all(isinstance(b, int) for b in bounds) else reduce(np.maximum, bounds)
