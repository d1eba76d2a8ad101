"""Static proof that a frozen graph computes exactly in float32: no product or partial sum reaches 2**24.

Bounds are interval arithmetic over the declared widths of a node's inputs and its actual weights and coefficients, one
interval a channel; they hold for every input whatever. BinaryAttention is exempt: all levels compute it in 64-bit
integers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bvit_hw.contract import EXACT_BITS, FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import FreezeError

IntArray = NDArray[np.int64]

#: width of ChannelAffine's value in front of the slope multiplier
MID_BITS = 17


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


def _constant(values: np.ndarray) -> Interval:
    """Interval of a stored constant (1 or tokens) x C, per channel over all tokens."""
    wide = np.asarray(values, dtype=np.int64)
    return Interval(wide.min(axis=0), wide.max(axis=0))


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
    bias = _constant(node.params["bias"])
    yield "bias", bias
    yield "t", total + bias


def affine_rest(node: FrozenNode, total: Interval) -> Iterator[tuple[str, Interval]]:
    """The intermediates of a ChannelAffine with RPReLU after its sum ``t``: ``m``, then those of the slope."""
    mid = total.shifted_right(node.attrs["mid_shift"])
    yield "m", mid
    positive = Interval(np.maximum(mid.low, 0), np.maximum(mid.high, 0)).scaled(1 << node.attrs["slope_shift"])
    slope = node.params["slope"].astype(np.int64)
    negative = Interval(np.minimum(mid.low, 0), np.minimum(mid.high, 0)).scaled(slope)
    both = Interval(np.minimum(positive.low, negative.low), np.maximum(positive.high, negative.high))
    yield "slope product", both
    # PRelu with slope / 2**slope_shift is exact only if the product in units of 2**-slope_shift is.
    bias = _constant(node.params["bias2"])
    yield "bias2", bias
    yield "v", both + bias


def _weights(node: FrozenNode, x: Interval) -> Iterator[tuple[str, Interval]]:
    """Bounds of any partial sum of a matrix product, in whatever order it is added up."""
    weights = node.params["weights"].astype(np.int64)
    zero = np.int64(0)
    low = np.minimum(np.minimum(weights * x.low, weights * x.high), zero).sum(axis=1)
    high = np.maximum(np.maximum(weights * x.low, weights * x.high), zero).sum(axis=1)
    yield "sum of products", Interval(low, high)


def _multi_pool(node: FrozenNode, x: Interval) -> Iterator[tuple[str, Interval]]:
    total: Interval | None = None
    for row, window in zip(node.params["coef"].astype(np.int64), (3, 3, 5, 5), strict=True):
        product = Interval(np.minimum(x.low, 0), np.maximum(x.high, 0)).scaled(window).scaled(row)
        total = product if total is None else total + product
        yield "partial sum", total
    assert total is not None
    bias = _constant(node.params["bias"][None, :])
    yield "bias", bias
    yield "sum", total + bias


def intermediates(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> Iterator[tuple[str, Interval]]:
    """Every named intermediate of ``node`` that float32 has to hold exactly, with its bounds."""
    inputs = tuple(Interval.of(tensors[name]) for name in node.inputs)
    match node.op:
        case "ChannelAffine":
            total = None
            for name, interval in affine_total(node, inputs):
                yield name, interval
                total = interval
            assert total is not None
            if node.attrs["prelu"]:
                yield from affine_rest(node, total)
        case "BinaryLinear" | "IntLinear":
            yield from _weights(node, inputs[0])
        case "MultiPool":
            yield from _multi_pool(node, inputs[0])
        case "SpatialPool":
            yield "window sum", inputs[0].scaled(node.attrs["window_h"] * node.attrs["window_w"])
        case "ChannelPool":
            yield "group sum", inputs[0].scaled(node.attrs["group"])
        case "Binarize":
            threshold = node.params["threshold"].astype(np.int64)
            yield "difference", inputs[0] + Interval(-threshold, -threshold)
        case _:
            yield "value", inputs[0]


def check_node(node: FrozenNode, tensors: Mapping[str, FrozenTensor]) -> None:
    """Raise :class:`FreezeError` naming the tensor and the bound if ``node`` could leave the exact range."""
    for name, interval in intermediates(node, tensors):
        if interval.peak >= 1 << EXACT_BITS:
            raise FreezeError(
                f"{node.output}: {name} of {node.op} can reach {interval.peak}; "
                f"exact execution in float32 allows less than 2**{EXACT_BITS} = {1 << EXACT_BITS}"
            )
        if name == "m" and not interval.fits(MID_BITS):
            raise FreezeError(
                f"{node.output}: m of {node.op} can reach {interval.peak} after mid_shift={node.attrs['mid_shift']}; "
                f"allowed are {MID_BITS} bits, at most {(1 << (MID_BITS - 1)) - 1}"
            )
        if name in ("sum of products", "window sum", "group sum") and not interval.fits(tensors[node.output].bits):
            raise FreezeError(
                f"{node.output}: {name} of {node.op} can reach {interval.peak}, "
                f"more than its {tensors[node.output].bits} bits hold"
            )


def check_exact(graph: FrozenGraph) -> None:
    """Raise :class:`FreezeError` unless every node of ``graph`` stays exact."""
    for node in graph.nodes:
        check_node(node, graph.tensors)
