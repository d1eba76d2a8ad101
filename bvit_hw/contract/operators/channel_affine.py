"""ChannelAffine: tensors scaled and added by channel, perhaps through an RPReLU, rounded."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ..interval import IntArray, Interval
from ..nodes import FrozenNode, FrozenTensor
from .base import Operator, rounded

#: width of the value in front of the slope multiplier
MID_BITS = 17


class ChannelAffine(Operator):
    """See docs/contract.md for the order of its steps."""

    def run(self, node: FrozenNode, out: FrozenTensor, *inputs: IntArray) -> IntArray:
        """See :class:`Operator`."""
        attrs = node.attrs

        def constant(key: str) -> IntArray:
            value = node.params[key]
            return value if len(value) == 1 else value.reshape(out.height, out.width, -1)

        total = constant("bias")
        for i, x in enumerate(inputs):
            term = x * node.params[f"coef{i}"] if attrs["multiply"][i] else x
            total = total + (term << attrs["shift"][i])
        if attrs["prelu"]:
            mid = total >> attrs["mid_shift"]
            total = np.where(mid >= 0, mid << attrs["slope_shift"], mid * node.params["slope"]) + constant("bias2")
        return rounded(total, node, out)

    def bounds(self, node: FrozenNode, *inputs: Interval) -> Iterator[tuple[str, Interval]]:
        """See :class:`Operator`."""
        total = None
        for name, interval in affine_total(node, inputs):
            yield name, interval
            total = interval
        assert total is not None
        if node.attrs["prelu"]:
            yield from affine_rest(node, total)


def affine_total(node: FrozenNode, inputs: tuple[Interval, ...]) -> Iterator[tuple[str, Interval]]:
    """Every intermediate of a ChannelAffine up to its sum ``t``, named, in the order of execution; ``t`` comes last."""
    total: Interval | None = None
    for i, interval in enumerate(inputs):
        if node.attrs["multiply"][i]:
            interval = interval.scaled(node.params[f"coef{i}"].astype(np.int64))
            yield f"product {i}", interval
        interval = interval.scaled(1 << node.attrs["shift"][i])
        yield f"shifted input {i}", interval
        total = interval if total is None else total + interval
        yield f"partial sum {i}", total
    assert total is not None
    bias = Interval.of_constant(node.params["bias"])
    yield "bias", bias
    yield "t", total + bias


def affine_rest(node: FrozenNode, total: Interval) -> Iterator[tuple[str, Interval]]:
    """The intermediates of a ChannelAffine with RPReLU after its sum ``t``: ``m``, then those of the slope."""
    mid = total.shifted_right(node.attrs["mid_shift"])
    yield "m", mid
    positive = mid.clipped(0, None).scaled(1 << node.attrs["slope_shift"])
    both = positive.joined(mid.clipped(None, 0).scaled(node.params["slope"].astype(np.int64)))
    yield "slope product", both
    # PRelu with slope / 2**slope_shift is exact only if the product in units of 2**-slope_shift is.
    bias = Interval.of_constant(node.params["bias2"])
    yield "bias2", bias
    yield "v", both + bias
