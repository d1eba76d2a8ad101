"""Means over windows of tokens and over groups of channels as steps of their own (bvit_hw.models.fusing).

The same functions as those of bvit_hw.models.grid, with gradients written out; PyTorch's sums over several short axes
of an activation take longer than the products beside them.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bvit_hw.models.fusing import kernel


@kernel
def _window_sums(x: Tensor) -> Tensor:
    """B x S x W x S x W x C to B x S x S x C."""
    return x.sum(dim=(2, 4))


@kernel
def _spread(x: Tensor, onto: Tensor) -> Tensor:
    """B x S x S x C added to each token of its window in B x S x W x S x W x C."""
    return onto + x[:, :, None, :, None]


def _windows(x: Tensor, window: int) -> Tensor:
    batch, tokens, channels = x.shape
    out = round(tokens**0.5) // window
    return x.view(batch, out, window, out, window, channels)


class _Pool(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, window: int) -> Tensor:
        ctx.window = window
        return _window_sums(_windows(x, window)).flatten(1, 2) / window**2

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        batch, tokens, channels = grad.shape
        side, window = round(tokens**0.5), ctx.window
        share = (grad / window**2).view(batch, side, 1, side, 1, channels)
        spread = share.expand(-1, -1, window, -1, window, -1)
        return spread.reshape(batch, tokens * window**2, channels), None


class _SpreadOnto(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, onto: Tensor, x: Tensor, window: int) -> Tensor:
        ctx.window = window
        batch, tokens, channels = x.shape
        side = round(tokens**0.5)
        return _spread(x.view(batch, side, side, channels), _windows(onto, window)).view(onto.shape)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        return grad, _window_sums(_windows(grad.contiguous(), ctx.window)).flatten(1, 2), None


def pool_grid(x: Tensor, window: int) -> Tensor:
    """Mean over non-overlapping ``window`` x ``window`` tokens: B x side^2 x C to B x (side/window)^2 x C."""
    return _Pool.apply(x.contiguous(), window)


def upsampled_onto(onto: Tensor, x: Tensor, window: int) -> Tensor:
    """``onto`` (B x (side window)^2 x C) plus x (B x side^2 x C), a token on each of the window that it covers."""
    return _SpreadOnto.apply(onto.contiguous(), x.contiguous(), window)


def pool_channels(x: Tensor, group: int) -> Tensor:
    """Mean over consecutive groups of ``group`` channels, as a product: neighbours in memory are slow to add."""
    if group == 1:
        return x
    means = torch.eye(x.shape[-1] // group, dtype=x.dtype).repeat_interleave(group, dim=1) / group
    return F.linear(x, means)
