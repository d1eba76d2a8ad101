"""Collects the nodes of a frozen graph; each layer of a network emits its own, beside the computation that they mirror.

A layer says in real numbers what it computes; the builder turns that into integers (fixed_point) and proves each node
exact. All real numbers are of means, not of window sums: the builder knows the divisors of the pools.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from math import isqrt
from typing import Protocol

import numpy as np

from bvit_hw.contract.attention_rule import TABLE_SHIFT, score_table, threshold_integer
from bvit_hw.contract.exactness import check_node, intermediates
from bvit_hw.contract.fixed_point import (
    GUARD_BITS,
    FloatArray,
    RealAffine,
    binarize_threshold,
    fit_affine,
    fit_multi_pool,
    half_up,
)
from bvit_hw.contract.interval import signed_bits
from bvit_hw.contract.nodes import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.errors import FreezeError

#: width of the logits
LOGIT_BITS = 24


class Scale(Protocol):
    """A quantizer: integers of ``bits`` times 2**``exponent``."""

    bits: int

    @property
    def exponent(self) -> int:
        """log2 of the scale."""


class Numbers:
    """Where a builder takes its numbers from: ``own`` is what gives the layer's, which are taken here.

    A subclass may draw others, for graphs without a trained network.
    """

    def exponent(self, scale: Scale) -> int:
        """Exponent of a tensor that is rounded."""
        return scale.exponent

    def move(self, own: Callable[[], FloatArray], channels: int) -> FloatArray:
        """Move (C) of a Binarize: the bit is 1 where x + move >= 0."""
        return own()

    def binary_weights(self, own: Callable[[], np.ndarray], rows: int, cols: int) -> np.ndarray:
        """Weights +-1 (rows x cols)."""
        return own()

    def int_weights(
        self, own: Callable[[], tuple[np.ndarray, int]], x: FrozenTensor, rows: int
    ) -> tuple[np.ndarray, int]:
        """Integer weights (rows x channels of x) and the exponent of what they give."""
        weights, exponent = own()
        return weights, exponent + x.exponent

    def offset(self, own: Callable[[], RealAffine], tokens: int, channels: int) -> RealAffine:
        """What is added to integers: a bias alone, a row of it for each of ``tokens``."""
        return own()

    def norm(self, own: Callable[[], RealAffine], channels: int) -> RealAffine:
        """Scale and shift by channel."""
        return own()

    def rprelu(self, own: Callable[[], RealAffine], inputs: tuple[FrozenTensor, ...], tokens: int) -> RealAffine:
        """A norm of the first input, the others added, RPReLU; the last bias has ``tokens`` rows."""
        return own()

    def residual(self, own: Callable[[], RealAffine], inputs: tuple[FrozenTensor, ...]) -> RealAffine:
        """The first input, scaled and shifted or not, on the others."""
        return own()

    def pools(self, own: Callable[[], tuple[FloatArray, FloatArray]], channels: int) -> tuple[FloatArray, FloatArray]:
        """Alphas (4 x C, of means) and the sum of the moves (C) of the pool branches."""
        return own()

    def clip(self, own: Callable[[], float], keys: int) -> float:
        """The learned t of a block's 1-bit attention probabilities; ``keys`` without a class token."""
        return own()

    def token(self, own: Callable[[], FloatArray], channels: int) -> FloatArray:
        """The row (C) that is put before all others."""
        return own()


class Builder:
    """A frozen graph under construction. Every method appends one node called :attr:`prefix` and a name, in order.

    Raises :class:`FreezeError`, naming tensor and bound, for numbers that do not fit the contract.
    """

    def __init__(self, numbers: Numbers | None = None, *, coef_bits: int = 8, slope_bits: int = 8) -> None:
        for name, value in (("coef_bits", coef_bits), ("slope_bits", slope_bits)):
            if not 4 <= value <= 12:
                raise FreezeError(f"{name}={value}; allowed: 4..12")
        self.numbers = numbers if numbers is not None else Numbers()
        self.coef_bits, self.slope_bits = coef_bits, slope_bits
        #: what stands before every name: the part of the network that is being built
        self.prefix = ""
        self._tensors: dict[str, FrozenTensor] = {}
        self._nodes: list[FrozenNode] = []
        #: what the sum in a pooled tensor has to be divided by to give the mean
        self._divisor: dict[str, int] = {}

    @contextmanager
    def within(self, prefix: str) -> Iterator[None]:
        """Within it names begin with ``prefix``."""
        before, self.prefix = self.prefix, self.prefix + prefix
        try:
            yield
        finally:
            self.prefix = before

    def input(self, name: str, height: int, width: int, channels: int) -> FrozenTensor:
        """The graph's input: uint8 pixels."""
        return self._tensor(name, height, width, channels, 8, signed=False)

    def finish(self, source: FrozenTensor, output: FrozenTensor, config: Mapping[str, object]) -> FrozenGraph:
        """The graph from ``source`` to ``output``."""
        return FrozenGraph(
            tensors=self._tensors, nodes=tuple(self._nodes), input=source.name, output=output.name, config=config
        )

    def _tensor(
        self, name: str, height: int, width: int, channels: int, bits: int, *, signed: bool = True, exponent: int = 0
    ) -> FrozenTensor:
        name = self.prefix + name
        tensor = FrozenTensor(
            name=name, height=height, width=width, channels=channels, bits=bits, signed=signed, exponent=exponent
        )
        self._tensors[name] = tensor
        return tensor

    def _add(
        self, op: str, inputs: tuple[FrozenTensor, ...], output: FrozenTensor,
        attrs: Mapping[str, int] | None = None, params: Mapping[str, np.ndarray] | None = None,
    ) -> FrozenTensor:  # fmt: skip
        return self._append(FrozenNode(
            op=op, inputs=tuple(x.name for x in inputs), output=output.name, attrs=attrs or {}, params=params or {}
        ))  # fmt: skip

    def _append(self, node: FrozenNode) -> FrozenTensor:
        check_node(node, self._tensors)
        self._nodes.append(node)
        return self._tensors[node.output]

    def patch_gather(self, name: str, x: FrozenTensor, window: int) -> FrozenTensor:
        """The values of each ``window`` x ``window`` tokens as one token."""
        out = self._tensor(name, x.height // window, x.width // window, window * window * x.channels, x.bits,
                           signed=x.signed, exponent=x.exponent)  # fmt: skip
        return self._add("PatchGather", (x,), out, {"window_h": window, "window_w": window})

    def binarize(self, name: str, x: FrozenTensor, move: Callable[[], FloatArray]) -> FrozenTensor:
        """Whether x + ``move`` >= 0."""
        out = self._tensor(name, x.height, x.width, x.channels, 1, signed=False)
        taken = self.numbers.move(move, x.channels)
        threshold = binarize_threshold(x, taken, self._divisor.get(x.name, 1))
        return self._add("Binarize", (x,), out, params={"threshold": threshold})

    def binary_linear(self, name: str, x: FrozenTensor, rows: int, own: Callable[[], np.ndarray]) -> FrozenTensor:
        """The product of bits with weights of +-1."""
        out = self._tensor(name, x.height, x.width, rows, signed_bits(-x.channels, x.channels))
        weights = np.asarray(self.numbers.binary_weights(own, rows, x.channels))
        if weights.shape != (rows, x.channels) or not np.all(np.abs(weights) == 1):
            raise FreezeError(f"{out.name}: weights must be {rows} x {x.channels} of +-1, given shape {weights.shape}")
        return self._add("BinaryLinear", (x,), out, params={"weights": weights.astype(np.int8)})

    def int_linear(
        self, name: str, x: FrozenTensor, rows: int, bits: int, own: Callable[[], tuple[np.ndarray, int]]
    ) -> FrozenTensor:
        """The product with integer weights of ``bits``; ``own`` gives them and their exponent."""
        weights, exponent = self.numbers.int_weights(own, x, rows)
        if np.shape(weights) != (rows, x.channels) or np.max(np.abs(weights)) > 1 << (bits - 1):
            raise FreezeError(f"{self.prefix}{name}: weights must be {rows} x {x.channels} integers of {bits} bits")
        dtype = np.int8 if bits <= 8 else np.int32
        node = FrozenNode(
            op="IntLinear", inputs=(x.name,), output=self.prefix + name, attrs={"weight_bits": bits},
            params={"weights": np.asarray(weights).astype(dtype)},
        )  # fmt: skip
        ((_, bound),) = intermediates(node, self._tensors)
        # Weights of few bits may all be 0; a tensor of one bit would be +-1.
        width = max(2, signed_bits(int(np.min(bound.low)), int(np.max(bound.high))))
        self._tensor(name, x.height, x.width, rows, width, exponent=exponent)
        return self._append(node)

    def norm(self, name: str, x: FrozenTensor, scale: Scale, own: Callable[[], RealAffine]) -> FrozenTensor:
        """A norm of ``x``."""
        out = self._rounded(name, x, scale)
        return self._affine((x,), out, self.numbers.norm(own, x.channels))

    def offset(self, name: str, x: FrozenTensor, scale: Scale, own: Callable[[], RealAffine]) -> FrozenTensor:
        """A bias for each token added to ``x``."""
        out = self._rounded(name, x, scale)
        return self._affine((x,), out, self.numbers.offset(own, x.height * x.width, x.channels))

    def logits(self, name: str, x: FrozenTensor, own: Callable[[], RealAffine]) -> FrozenTensor:
        """The classifier's bias added, without rounding."""
        out = self._tensor(name, x.height, x.width, x.channels, LOGIT_BITS, exponent=x.exponent)
        return self._affine((x,), out, self.numbers.offset(own, 1, x.channels), guard=0)

    def rprelu(
        self, name: str, inputs: tuple[FrozenTensor, ...], scale: Scale, own: Callable[[], RealAffine],
        *, placed: bool = False,
    ) -> FrozenTensor:  # fmt: skip
        """rprelu(norm of the first input + the others), with a position embedding where ``placed``."""
        first = inputs[0]
        out = self._rounded(name, first, scale)
        rows = first.height * first.width if placed else 1
        return self._affine(inputs, out, self.numbers.rprelu(own, inputs, rows))

    def residual(
        self, name: str, inputs: tuple[FrozenTensor, ...], scale: Scale, own: Callable[[], RealAffine]
    ) -> FrozenTensor:
        """The first input through a LayerScale, the others as they are."""
        out = self._rounded(name, inputs[0], scale)
        return self._affine(inputs, out, self.numbers.residual(own, inputs))

    def _rounded(self, name: str, like: FrozenTensor, scale: Scale) -> FrozenTensor:
        exponent = self.numbers.exponent(scale)
        return self._tensor(name, like.height, like.width, like.channels, scale.bits, exponent=exponent)

    def _affine(
        self, inputs: tuple[FrozenTensor, ...], output: FrozenTensor, real: RealAffine, guard: int = GUARD_BITS
    ) -> FrozenTensor:
        divisors = [self._divisor.get(x.name, 1) for x in inputs]
        factors = tuple(f / divisor for f, divisor in zip(real.factors, divisors, strict=True))
        centre = None if real.centre is None else real.centre * divisors[0]
        real = replace(real, factors=factors, centre=centre)
        return self._append(
            fit_affine(inputs, output, real, coef_bits=self.coef_bits, slope_bits=self.slope_bits, guard=guard)
        )

    def spatial_pool(self, name: str, x: FrozenTensor, window_h: int, window_w: int) -> FrozenTensor:
        """The mean (in integers the sum) of each window of tokens."""
        area = window_h * window_w
        out = self._tensor(name, x.height // window_h, x.width // window_w, x.channels,
                           x.bits + (area - 1).bit_length(), exponent=x.exponent)  # fmt: skip
        self._divisor[out.name] = area
        return self._add("SpatialPool", (x,), out, {"window_h": window_h, "window_w": window_w})

    def channel_pool(self, name: str, x: FrozenTensor, group: int) -> FrozenTensor:
        """The mean (in integers the sum) of each ``group`` of channels; of one, the tensor itself."""
        if group == 1:
            return x
        out = self._tensor(name, x.height, x.width, x.channels // group, x.bits + (group - 1).bit_length(),
                           exponent=x.exponent)  # fmt: skip
        self._divisor[out.name] = group
        return self._add("ChannelPool", (x,), out, {"group": group})

    def channel_repeat(self, name: str, x: FrozenTensor, copies: int) -> FrozenTensor:
        """``copies`` of all channels; of one, the tensor itself."""
        if copies == 1:
            return x
        out = self._tensor(name, x.height, x.width, x.channels * copies, x.bits, signed=x.signed, exponent=x.exponent)
        self._divisor[out.name] = self._divisor.get(x.name, 1)
        return self._add("ChannelRepeat", (x,), out, {"repeat": copies})

    def upsample(self, name: str, x: FrozenTensor, factor: int) -> FrozenTensor:
        """Each token ``factor`` x ``factor`` times."""
        out = self._tensor(name, x.height * factor, x.width * factor, x.channels, x.bits, signed=x.signed,
                           exponent=x.exponent)  # fmt: skip
        return self._add("Upsample", (x,), out, {"factor": factor})

    def prepend_token(self, name: str, x: FrozenTensor, own: Callable[[], FloatArray]) -> FrozenTensor:
        """A token before all others, rounded as they are."""
        out = self._tensor(name, 1, x.height * x.width + 1, x.channels, x.bits, exponent=x.exponent)
        row = half_up(np.asarray(self.numbers.token(own, x.channels)) * 2.0**-x.exponent)
        high = 1 << (out.bits - 1)
        return self._add("PrependToken", (x,), out, params={"token": np.clip(row, -high, high - 1).astype(np.int32)})

    def first_token(self, name: str, x: FrozenTensor) -> FrozenTensor:
        """The first token."""
        return self._add("FirstToken", (x,), self._tensor(name, 1, 1, x.channels, x.bits, exponent=x.exponent))

    def multi_pool(
        self, name: str, x: FrozenTensor, scale: Scale, own: Callable[[], tuple[FloatArray, FloatArray]]
    ) -> FrozenTensor:
        """The pool branches' sum; ``own`` gives alphas and moves."""
        out = self._rounded(name, x, scale)
        alphas, moves = self.numbers.pools(own, x.channels)
        factors = np.asarray(alphas, dtype=np.float64) / np.array([3.0, 3.0, 5.0, 5.0])[:, None]
        return self._append(fit_multi_pool(x, out, factors, moves, coef_bits=self.coef_bits))

    def attention(
        self, name: str, q: FrozenTensor, k: FrozenTensor, v: FrozenTensor, heads: int, table_bits: int,
        own: Callable[[], float],
    ) -> FrozenTensor:  # fmt: skip
        """The values that each query attends, added up; ``own`` gives the clip value t."""
        keys = k.height * k.width
        out = self._tensor(name, q.height, q.width, q.channels, signed_bits(-keys, keys))
        clip = self.numbers.clip(own, isqrt(keys) ** 2)
        if not (np.isfinite(clip) and clip > 0):
            raise FreezeError(
                f"{out.name}: the clip value t of the attention probabilities is {clip}; it must be positive"
            )
        attrs = {"heads": heads, "table_bits": table_bits, "table_shift": TABLE_SHIFT}
        return self._add("BinaryAttention", (q, k, v), out, attrs, {
            "table": score_table(q.channels // heads, table_bits).astype(np.int32),
            "threshold": np.array(threshold_integer(clip), dtype=np.int64),
        })  # fmt: skip
