"""FusedBinaryViT: a frozen graph for GPUs, one generated kernel where PyTorch's operators would make many passes.

The same integers as :class:`FrozenBinaryViT`. What differs is how often memory is passed over: torch.compile makes one
kernel of each operator of the contract (for all shapes; compiled on the first batch, about a minute), and tensors are
stored in as many bytes as their values need, binary ones as +-1. Products of bytes go to the GPU's integer units.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bvit_hw.contract import FrozenGraph, FrozenNode, FrozenTensor
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.execute.frozen import FrozenBinaryViT, windows

#: kinds of one operator (numbers and types of inputs) that are compiled before PyTorch gives up
_KINDS = 64
#: cuBLAS multiplies int8 matrices with more rows than this
_INT_ROWS = 16


def _stored(out: FrozenTensor) -> torch.dtype:
    """The narrowest type that holds every value of ``out``."""
    bits = out.bits + (not out.signed)
    return torch.int8 if bits <= 8 else torch.int16 if bits <= 16 else torch.int32


def _product(x: Tensor, weights: Tensor, narrow: Tensor | None) -> Tensor:
    """B x H x W x C by rows x C: int32 where integer units take it (``narrow``: int8 weights), else float32."""
    rows = x.shape[:-1].numel()
    if narrow is None or x.dtype != torch.int8 or rows <= _INT_ROWS or narrow.shape[0] % 8 or narrow.shape[1] % 8:
        return F.linear(x.to(torch.float32), weights)
    return torch._int_mm(x.reshape(rows, -1), narrow.t()).view(*x.shape[:-1], -1)


def _affine(
    inputs: list[Tensor],
    coefs: list[Tensor],
    bias: Tensor,
    prelu: tuple[Tensor, Tensor, Tensor, Tensor] | None,
    out_shift: Tensor,
    high: int,
    dtype: torch.dtype,
) -> Tensor:
    total = bias
    for x, coef in zip(inputs, coefs, strict=True):
        total = total + x.to(torch.int32) * coef
    if prelu is not None:
        mid_shift, upper, lower, offset = prelu
        mid = total >> mid_shift
        total = mid * torch.where(mid >= 0, upper, lower) + offset
    return (total >> out_shift).clamp(-high, high - 1).to(dtype)


def _binarize(x: Tensor, threshold: Tensor) -> Tensor:
    return torch.where(x.to(torch.int32) >= threshold, 1, -1).to(torch.int8)


def _spatial_pool(x: Tensor, height: int, width: int, dtype: torch.dtype) -> Tensor:
    return windows(x, height, width).sum(dim=(3, 4), dtype=torch.int32).to(dtype)


def _channel_pool(x: Tensor, group: int, dtype: torch.dtype) -> Tensor:
    return x.unflatten(3, (-1, group)).sum(dim=4, dtype=torch.int32).to(dtype)


def _multi_pool(x: Tensor, coefs: Tensor, bias: Tensor, out_shift: int, high: int, dtype: torch.dtype) -> Tensor:
    height, width = x.shape[1], x.shape[2]
    total = bias
    for coef, (rows, cols) in zip(coefs, WINDOWS.values(), strict=True):
        up, left = rows // 2, cols // 2
        padded = F.pad(x, (0, 0, left, left, up, up))
        pooled = torch.zeros_like(x, dtype=torch.int32)
        for dy in range(rows):
            for dx in range(cols):
                pooled = pooled + padded[:, dy : dy + height, dx : dx + width].to(torch.int32)
        total = total + coef * pooled
    return (total >> out_shift).clamp(-high, high - 1).to(dtype)


def _attention(
    q: Tensor, k: Tensor, v: Tensor, table: Tensor, threshold: Tensor, heads: int, table_shift: int, dtype: torch.dtype
) -> Tensor:
    def split(x: Tensor) -> Tensor:
        return x.to(torch.float32).flatten(1, 2).unflatten(2, (heads, -1)).transpose(1, 2)

    queries, keys, values = split(q), split(k), split(v)
    equal = ((queries @ keys.transpose(2, 3)).to(torch.int64) + queries.shape[3]) >> 1
    entries = table[equal]
    attended = (entries << table_shift) > threshold * entries.sum(dim=3, keepdim=True)
    context = attended.to(torch.float32) @ values
    return context.to(dtype).transpose(1, 2).reshape(q.shape)


class FusedBinaryViT(FrozenBinaryViT):
    """Executes a :class:`FrozenGraph` as :class:`FrozenBinaryViT` does, through generated kernels.

    ``compiled=False`` leaves the operators uncompiled: the same integers, slowly.
    """

    def __init__(self, graph: FrozenGraph, *, compiled: bool = True) -> None:
        super().__init__(graph)
        for node in graph.nodes:
            if node.op == "ChannelAffine":
                self._prepare_affine(node)
            elif "weights" in node.params and abs(self._param(node, "weights")).max() < 128:
                narrow = self._param(node, "weights").to(torch.int8)
                self.register_buffer(self._key(node, "narrow"), narrow, persistent=False)
        operators = (_affine, _binarize, _spatial_pool, _channel_pool, _multi_pool, _attention)
        self._run: dict[Callable[..., Tensor], Callable[..., Tensor]] = {
            operator: torch.compile(operator, dynamic=True) if compiled else operator for operator in operators
        }

    def _prepare_affine(self, node: FrozenNode) -> None:
        """Shifts become factors: what is left of an affine is multiply-adds, the same for all layers."""
        attrs = node.attrs

        def keep(key: str, value: Tensor) -> None:
            self.register_buffer(self._key(node, key), value.to(torch.int32), persistent=False)

        for i, (multiplied, shift) in enumerate(zip(attrs["multiply"], attrs["shift"], strict=True)):
            keep(f"factor{i}", self._param(node, f"coef{i}") << shift if multiplied else torch.tensor([1 << shift]))
        keep("out_shift", torch.tensor([attrs["out_shift"]]))
        if attrs["prelu"]:
            keep("mid_shift", torch.tensor([attrs["mid_shift"]]))
            keep("upper", torch.tensor([1 << attrs["slope_shift"]]))

    @torch.no_grad()
    def forward(self, pixels: Tensor) -> Tensor:
        with torch._dynamo.config.patch(recompile_limit=_KINDS):
            return super().forward(pixels).to(torch.int32)

    @torch.no_grad()
    def trace(self, pixels: Tensor) -> dict[str, Tensor]:
        with torch._dynamo.config.patch(recompile_limit=_KINDS):
            found = super().trace(pixels)
        return {
            name: (value > 0 if self.graph.tensors[name].binary else value).to(torch.int32)
            for name, value in found.items()
        }

    def _BinaryLinear(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        narrow = self._buffers.get(self._key(node, "narrow"))
        return _product(x, self._param(node, "weights"), narrow)

    _IntLinear = _BinaryLinear

    def _ChannelAffine(self, node: FrozenNode, out: FrozenTensor, *inputs: Tensor) -> Tensor:
        def constant(key: str) -> Tensor:
            value = self._param(node, key)
            return value if len(value) == 1 else value.unflatten(0, (out.height, out.width))

        prelu: Any = None
        if node.attrs["prelu"]:
            prelu = (*(self._param(node, key) for key in ("mid_shift", "upper", "slope")), constant("bias2"))
        factors = [self._param(node, f"factor{i}") for i in range(len(inputs))]
        shift, high = self._param(node, "out_shift"), 1 << (out.bits - 1)
        return self._run[_affine](list(inputs), factors, constant("bias"), prelu, shift, high, _stored(out))

    def _Binarize(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return self._run[_binarize](x, self._param(node, "threshold"))

    def _SpatialPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return self._run[_spatial_pool](x, node.attrs["window_h"], node.attrs["window_w"], _stored(out))

    def _ChannelPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        return self._run[_channel_pool](x, node.attrs["group"], _stored(out))

    def _MultiPool(self, node: FrozenNode, out: FrozenTensor, x: Tensor) -> Tensor:
        coefs, bias = self._param(node, "coef"), self._param(node, "bias")
        high = 1 << (out.bits - 1)
        return self._run[_multi_pool](x, coefs, bias, node.attrs["out_shift"], high, _stored(out))

    def _BinaryAttention(self, node: FrozenNode, out: FrozenTensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        table, threshold = self._param(node, "table"), self._param(node, "threshold")
        heads, shift = node.attrs["heads"], node.attrs["table_shift"]
        return self._run[_attention](q, k, v, table, threshold, heads, shift, _stored(out))
