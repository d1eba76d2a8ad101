"""The FrozenGraph of a BinaryViT configuration, node by node as docs/contract.md lists it.

The topology is here, the numbers come from a :class:`Source`: freezing reads them from a model, tests draw them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Protocol

import numpy as np

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.attention_rule import TABLE_SHIFT, score_table, threshold_integer
from bvit_hw.contract.exactness import check_node, intermediates
from bvit_hw.contract.fixed_point import FloatArray, RealAffine, binarize_threshold, fit_affine, fit_multi_pool, half_up
from bvit_hw.errors import FreezeError
from bvit_hw.models.config import BinaryViTConfig

#: width of the logits
LOGIT_BITS = 24


class Source(Protocol):
    """Where the numbers of a frozen graph come from; every method is asked with the name of a node's output tensor.

    All are in real units of means (not window sums): the builder knows the divisors of the pools.
    """

    def exponent(self, tensor: str) -> int:
        """Exponent of a multi-bit tensor that is rounded (outputs of ChannelAffine and MultiPool)."""

    def move(self, tensor: str, channels: int) -> FloatArray:
        """Move (C) of a Binarize: the bit is 1 where x + move >= 0."""

    def binary_weights(self, tensor: str, rows: int, cols: int) -> np.ndarray:
        """Weights +-1 (rows x cols) of a BinaryLinear."""

    def int_weights(self, tensor: str, rows: int, cols: int) -> tuple[np.ndarray, int]:
        """Integer weights (rows x cols) of an IntLinear and the exponent of their scale, the input's included."""

    def affine(self, tensor: str, inputs: tuple[FrozenTensor, ...], tokens: int, channels: int) -> RealAffine:
        """The affine (and RPReLU) that gives ``tensor``; the last bias has a row a token for a position embedding."""

    def pools(self, tensor: str, channels: int) -> tuple[FloatArray, FloatArray]:
        """Alphas (4 x C, order h3, w3, h5, w5, of means) and the sum of the moves (C) of the pool branches."""

    def clip(self, tensor: str) -> float:
        """The learned t of a block's 1-bit attention probabilities."""

    def token(self, tensor: str, channels: int) -> FloatArray:
        """The row (C) that a PrependToken puts before all others: class token and its position embedding."""


def signed_width(low: int, high: int) -> int:
    """Smallest two's-complement width that holds [low, high]."""
    return max((-low - 1).bit_length() if low < 0 else 0, high.bit_length()) + 1


class _Builder:
    def __init__(self, config: BinaryViTConfig, source: Source, coef_bits: int, slope_bits: int) -> None:
        self.config, self.source = config, source
        self.coef_bits, self.slope_bits = coef_bits, slope_bits
        self.tensors: dict[str, FrozenTensor] = {}
        self.nodes: list[FrozenNode] = []
        #: what the sum in a pooled tensor has to be divided by to give the mean
        self.divisor: dict[str, int] = {}

    def tensor(
        self, name: str, height: int, width: int, channels: int, bits: int, *, signed: bool = True, exponent: int = 0
    ) -> FrozenTensor:
        tensor = FrozenTensor(
            name=name, height=height, width=width, channels=channels, bits=bits, signed=signed, exponent=exponent
        )
        self.tensors[name] = tensor
        return tensor

    def add(self, node: FrozenNode) -> FrozenTensor:
        check_node(node, self.tensors)
        self.nodes.append(node)
        return self.tensors[node.output]

    def gather(self, name: str, x: FrozenTensor, window: int) -> FrozenTensor:
        self.tensor(name, x.height // window, x.width // window, window * window * x.channels, x.bits,
                    signed=x.signed, exponent=x.exponent)  # fmt: skip
        return self.add(FrozenNode(
            op="PatchGather", inputs=(x.name,), output=name, attrs={"window_h": window, "window_w": window}
        ))  # fmt: skip

    def binarize(self, name: str, x: FrozenTensor) -> FrozenTensor:
        self.tensor(name, x.height, x.width, x.channels, 1, signed=False)
        move = self.source.move(name, x.channels)
        threshold = binarize_threshold(x, move, self.divisor.get(x.name, 1))
        return self.add(FrozenNode(op="Binarize", inputs=(x.name,), output=name, params={"threshold": threshold}))

    def binary_linear(self, name: str, x: FrozenTensor, rows: int) -> FrozenTensor:
        self.tensor(name, x.height, x.width, rows, signed_width(-x.channels, x.channels))
        weights = np.asarray(self.source.binary_weights(name, rows, x.channels))
        if weights.shape != (rows, x.channels) or not np.all(np.abs(weights) == 1):
            raise FreezeError(f"{name}: weights must be {rows} x {x.channels} of +-1, given shape {weights.shape}")
        params = {"weights": weights.astype(np.int8)}
        return self.add(FrozenNode(op="BinaryLinear", inputs=(x.name,), output=name, params=params))

    def int_linear(self, name: str, x: FrozenTensor, rows: int) -> FrozenTensor:
        weights, exponent = self.source.int_weights(name, rows, x.channels)
        bits = self.config.weight_bits
        if np.shape(weights) != (rows, x.channels) or np.max(np.abs(weights)) > 1 << (bits - 1):
            raise FreezeError(f"{name}: weights must be {rows} x {x.channels} integers of {bits} bits")
        dtype = np.int8 if bits <= 8 else np.int32
        node = FrozenNode(
            op="IntLinear", inputs=(x.name,), output=name, attrs={"weight_bits": bits},
            params={"weights": np.asarray(weights).astype(dtype)},
        )  # fmt: skip
        ((_, bound),) = intermediates(node, self.tensors)
        width = signed_width(int(np.min(bound.low)), int(np.max(bound.high)))
        self.tensor(name, x.height, x.width, rows, width, exponent=exponent)
        return self.add(node)

    def affine(self, name: str, *inputs: FrozenTensor, residual: bool = False) -> FrozenTensor:
        first = inputs[0]
        bits = self.config.residual_bits if residual else self.config.act_bits
        output = self.tensor(name, first.height, first.width, first.channels, bits, exponent=self.source.exponent(name))
        real = self.source.affine(name, inputs, first.height * first.width, first.channels)
        factors = tuple(f / self.divisor.get(x.name, 1) for x, f in zip(inputs, real.factors, strict=True))
        centre = None if real.centre is None else real.centre * self.divisor.get(first.name, 1)
        real = replace(real, factors=factors, centre=centre)
        return self.add(fit_affine(inputs, output, real, coef_bits=self.coef_bits, slope_bits=self.slope_bits))

    def spatial_pool(self, name: str, x: FrozenTensor, window_h: int, window_w: int) -> FrozenTensor:
        area = window_h * window_w
        self.tensor(name, x.height // window_h, x.width // window_w, x.channels, x.bits + (area - 1).bit_length(),
                    exponent=x.exponent)  # fmt: skip
        self.divisor[name] = area
        return self.add(FrozenNode(
            op="SpatialPool", inputs=(x.name,), output=name, attrs={"window_h": window_h, "window_w": window_w}
        ))  # fmt: skip

    def channel_pool(self, name: str, x: FrozenTensor, group: int) -> FrozenTensor:
        if group == 1:
            return x
        self.tensor(name, x.height, x.width, x.channels // group, x.bits + (group - 1).bit_length(),
                    exponent=x.exponent)  # fmt: skip
        self.divisor[name] = group
        return self.add(FrozenNode(op="ChannelPool", inputs=(x.name,), output=name, attrs={"group": group}))

    def repeat(self, name: str, x: FrozenTensor, copies: int) -> FrozenTensor:
        if copies == 1:
            return x
        self.tensor(name, x.height, x.width, x.channels * copies, x.bits, signed=x.signed, exponent=x.exponent)
        self.divisor[name] = self.divisor.get(x.name, 1)
        return self.add(FrozenNode(op="ChannelRepeat", inputs=(x.name,), output=name, attrs={"repeat": copies}))

    def upsample(self, name: str, x: FrozenTensor, factor: int) -> FrozenTensor:
        self.tensor(name, x.height * factor, x.width * factor, x.channels, x.bits, signed=x.signed,
                    exponent=x.exponent)  # fmt: skip
        return self.add(FrozenNode(op="Upsample", inputs=(x.name,), output=name, attrs={"factor": factor}))

    def prepend_token(self, name: str, x: FrozenTensor) -> FrozenTensor:
        output = self.tensor(name, 1, x.height * x.width + 1, x.channels, x.bits, exponent=x.exponent)
        row = half_up(np.asarray(self.source.token(name, x.channels)) * 2.0**-x.exponent)
        high = 1 << (output.bits - 1)
        params = {"token": np.clip(row, -high, high - 1).astype(np.int32)}
        return self.add(FrozenNode(op="PrependToken", inputs=(x.name,), output=name, params=params))

    def first_token(self, name: str, x: FrozenTensor) -> FrozenTensor:
        self.tensor(name, 1, 1, x.channels, x.bits, exponent=x.exponent)
        return self.add(FrozenNode(op="FirstToken", inputs=(x.name,), output=name))

    def multi_pool(self, name: str, x: FrozenTensor) -> FrozenTensor:
        output = self.tensor(
            name, x.height, x.width, x.channels, self.config.act_bits, exponent=self.source.exponent(name)
        )
        alphas, moves = self.source.pools(name, x.channels)
        factors = np.asarray(alphas, dtype=np.float64) / np.array([3.0, 3.0, 5.0, 5.0])[:, None]
        return self.add(fit_multi_pool(x, output, factors, moves, coef_bits=self.coef_bits))

    def attention(self, name: str, q: FrozenTensor, k: FrozenTensor, v: FrozenTensor, heads: int) -> FrozenTensor:
        keys = k.height * k.width
        self.tensor(name, q.height, q.width, q.channels, signed_width(-keys, keys))
        clip = self.source.clip(name)
        if not (np.isfinite(clip) and clip > 0):
            raise FreezeError(f"{name}: the clip value t of the attention probabilities is {clip}; it must be positive")
        table_bits = self.config.table_bits
        return self.add(FrozenNode(
            op="BinaryAttention", inputs=(q.name, k.name, v.name), output=name,
            attrs={"heads": heads, "table_bits": table_bits, "table_shift": TABLE_SHIFT},
            params={
                "table": score_table(q.channels // heads, table_bits).astype(np.int32),
                "threshold": np.array(threshold_integer(clip), dtype=np.int64),
            },
        ))  # fmt: skip

    def block(self, i: int, stage: int, x: FrozenTensor) -> FrozenTensor:
        c, r, b = self.config.channels[stage], self.config.reductions[stage], f"b{i}."
        copies = self.config.mlp_widths[stage] // c
        h = self.affine(b + "h", x)
        hq = self.binarize(b + "hq", h)
        q = self.affine(b + "q", self.binary_linear(b + "q_acc", hq, c), h)
        g = h
        if r > 1:
            r_sum = self.spatial_pool(b + "r_sum", h, r, r)
            r_bit = self.binarize(b + "r_bit", r_sum)
            g = self.affine(b + "g", self.binary_linear(b + "r_acc", r_bit, c), r_sum)
        gk = self.binarize(b + "gk", g)
        k = self.affine(b + "k", self.binary_linear(b + "k_acc", gk, c), g)
        gv = self.binarize(b + "gv", g)
        v = self.affine(b + "v", self.binary_linear(b + "v_acc", gv, c), g)
        bits = [self.binarize(f"{b}{n}_bit", t) for n, t in (("q", q), ("k", k), ("v", v))]
        att = self.attention(b + "att", bits[0], bits[1], bits[2], self.config.heads[stage])
        if r > 1:
            k, v = self.upsample(b + "k_up", k, r), self.upsample(b + "v_up", v, r)
        ctx = self.affine(b + "ctx", att, q, k, v)
        ctx_bit = self.binarize(b + "ctx_bit", ctx)
        o = self.affine(b + "o", self.binary_linear(b + "o_acc", ctx_bit, c), ctx)
        y = self.affine(b + "y", o, x, residual=True)
        h2 = self.affine(b + "h2", y)
        h2_bit = self.binarize(b + "h2_bit", h2)
        f_acc = self.binary_linear(b + "f_acc", h2_bit, c * copies)
        f = self.affine(b + "f", f_acc, self.repeat(b + "h2_rep", h2, copies))
        f_bit = self.binarize(b + "f_bit", f)
        z_acc = self.binary_linear(b + "z_acc", f_bit, c)
        z = self.affine(b + "z", z_acc, self.channel_pool(b + "f_pool", f, copies))
        if not self.config.pool_branches:
            return self.affine(b + "x", z, y, residual=True)
        return self.affine(b + "x", z, y, self.multi_pool(b + "p", h2), residual=True)

    def transition(self, stage: int, x: FrozenTensor) -> FrozenTensor:
        t, rows = f"t{stage}.", self.config.channels[stage]
        h = self.affine(t + "h", x)
        if self.config.full_precision_merges:
            acc = self.int_linear(t + "acc", self.gather(t + "patch", h, 2), rows)
            return self.affine(t + "x", acc, residual=True)
        patch = self.gather(t + "patch", self.binarize(t + "h_bit", h), 2)
        acc = self.binary_linear(t + "acc", patch, rows)
        short = self.repeat(t + "short", self.spatial_pool(t + "short_sum", h, 2, 2), rows // x.channels)
        return self.affine(t + "x", acc, short, residual=True)

    def build(self) -> FrozenGraph:
        config = self.config
        pixels = self.tensor("pixels", config.image_size, config.image_size, config.in_channels, 8, signed=False)
        patch = self.gather("stem.patch", pixels, config.patch_size)
        acc = self.int_linear("stem.acc", patch, config.channels[0])
        x = self.affine("stem.grid" if config.class_token else "stem.x", acc, residual=True)
        if config.class_token:
            x = self.prepend_token("stem.x", x)
        previous = 0
        for i, stage in enumerate(config.block_stages):
            if stage != previous:
                x, previous = self.transition(stage, x), stage
            x = self.block(i, stage, x)
        if config.class_token:
            x = self.first_token("head.token", x)
        elif x.height * x.width > 1:
            x = self.spatial_pool("head.sum", x, x.height, x.width)
        acc = self.int_linear("head.acc", self.affine("head.f", x), config.classes)
        logits = self.tensor("logits", 1, 1, config.classes, LOGIT_BITS, exponent=acc.exponent)
        real = self.source.affine("logits", (acc,), 1, config.classes)
        self.add(fit_affine((acc,), logits, real, coef_bits=self.coef_bits, slope_bits=self.slope_bits, guard=0))
        return FrozenGraph(
            tensors=self.tensors, nodes=tuple(self.nodes), input="pixels", output="logits",
            config=config.model_dump(mode="json"),
        )  # fmt: skip


def build_graph(config: BinaryViTConfig, source: Source, *, coef_bits: int = 8, slope_bits: int = 8) -> FrozenGraph:
    """The frozen graph of ``config`` with the numbers of ``source``, proven exact.

    Raises :class:`FreezeError` for numbers that do not fit.
    """
    for name, value in (("coef_bits", coef_bits), ("slope_bits", slope_bits)):
        if not 4 <= value <= 12:
            raise FreezeError(f"{name}={value}; allowed: 4..12")
    if config.full_precision:
        raise FreezeError("full_precision=True: a full-precision network has no integers to freeze; it can only teach")
    return _Builder(config, source, coef_bits, slope_bits).build()
