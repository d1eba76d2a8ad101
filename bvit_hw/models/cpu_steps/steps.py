"""Norms, affines, pools and quantizers of a training step through kernels.cpp, as functions with gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from bvit_hw.models.cpu_steps.library import kernels

if TYPE_CHECKING:
    from bvit_hw.models.layers import RPReLU
    from bvit_hw.models.quant import ActQuant


class Rounding(NamedTuple):
    """A quantizer: multiples of ``step`` from -high to high - 1 of them; step 0: values stay as they are."""

    step: float = 0.0
    high: float = 0.0

    @classmethod
    def of(cls, quant: ActQuant | None) -> Rounding:
        """What ``quant`` does in its present mode."""
        if quant is None or quant.mode != "quant":
            return cls()
        return cls(2.0**quant.exponent, 2.0 ** (quant.bits - 1))


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, gamma: Tensor, beta: Tensor, eps: float, rounding: Rounding
    ) -> tuple[Tensor, Tensor]:
        out, statistics = torch.empty_like(x), x.new_empty(6, x.shape[2])
        kernels()("norm_forward", x.dtype, x, gamma, beta, out, statistics, *x.shape, eps, *rounding)
        ctx.rounding = rounding
        ctx.save_for_backward(x, statistics)
        ctx.mark_non_differentiable(statistics)
        return out, statistics

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _unused: Tensor) -> tuple[Tensor | None, ...]:
        x, statistics = ctx.saved_tensors
        grad = grad.contiguous()
        into_x, channels = torch.empty_like(x), x.new_empty(2, x.shape[2])
        kernels()("norm_backward", x.dtype, grad, x, statistics, into_x, channels, *x.shape, *ctx.rounding)
        return into_x, channels[0], channels[1], None, None


class _RPReLUOfNorm(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shortcut: Tensor, gamma: Tensor, beta: Tensor, move_1: Tensor, slope: Tensor,
        move_2: Tensor, eps: float, rounding: Rounding,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        out, statistics = torch.empty_like(x), x.new_empty(6, x.shape[2])
        ctx.sizes = *x.shape, x.shape[2] // shortcut.shape[2]
        moves = move_1, slope, move_2
        kernels()(
            "real_unit_forward", x.dtype, x, shortcut, gamma, beta, *moves, out, statistics, *ctx.sizes, eps, *rounding
        )
        ctx.rounding = rounding
        ctx.save_for_backward(x, shortcut, statistics, *moves)
        ctx.mark_non_differentiable(statistics)
        return out, statistics

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _unused: Tensor) -> tuple[Tensor | None, ...]:
        x, shortcut, statistics, *moves = ctx.saved_tensors
        into_x, into_shortcut, channels = torch.empty_like(x), torch.empty_like(shortcut), x.new_empty(4, x.shape[2])
        given = grad.contiguous(), x, shortcut, statistics, *moves
        kernels()(
            "real_unit_backward", x.dtype, *given, into_x, into_shortcut, channels, *ctx.sizes, *ctx.rounding
        )
        gamma, beta, slope, move_2 = channels
        return into_x, into_shortcut, gamma, beta, -beta, slope, move_2, None, None


class _AffineOnto(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, inner: Tensor, third: Tensor | None, alpha: Tensor, move: Tensor, rounding: Rounding
    ) -> Tensor:
        out = torch.empty_like(x)
        inside = torch.empty_like(x, dtype=torch.uint8) if rounding.step else None
        size = x.shape[0] * x.shape[1], x.shape[2]
        kernels()("affine_forward", x.dtype, x, inner, third, alpha, move, out, inside, *size, *rounding)
        ctx.save_for_backward(inner, alpha, inside)
        ctx.third = third is not None
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        inner, alpha, inside = ctx.saved_tensors
        grad = grad.contiguous()
        into_x = grad if inside is None else torch.empty_like(grad)
        into_inner, channels = torch.empty_like(inner), inner.new_empty(2, inner.shape[2])
        kernels()(
            "affine_backward", inner.dtype, grad, inner, alpha, inside, into_x, into_inner, channels, *inner.shape
        )
        return into_x, into_inner, into_x if ctx.third else None, channels[0], channels[1], None


class _Pools(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, alphas: Tensor, move: Tensor, side: int, rounding: Rounding) -> Tensor:
        out = torch.empty_like(x)
        inside = torch.empty_like(x, dtype=torch.uint8) if rounding.step else None
        ctx.sizes = len(x), side, x.shape[2]
        kernels()("pools_forward", x.dtype, x, alphas, move, out, inside, *ctx.sizes, *rounding)
        ctx.save_for_backward(x, alphas, inside)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, alphas, inside = ctx.saved_tensors
        into_x, channels = torch.empty_like(x), x.new_empty(5, x.shape[2])
        kernels()("pools_backward", x.dtype, grad.contiguous(), x, alphas, inside, into_x, channels, *ctx.sizes)
        return into_x, channels[:4], channels[4], None, None


class _PooledGrid(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, side: int, window: int) -> Tensor:
        ctx.sizes = len(x), side, x.shape[2], window
        ctx.share = 1 / window**2
        out = x.new_empty(len(x), (side // window) ** 2, x.shape[2])
        kernels()("window_sums", x.dtype, x, out, ctx.share, *ctx.sizes)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        batch, side, channels, _ = ctx.sizes
        into = grad.new_empty(batch, side**2, channels)
        kernels()("spread", grad.dtype, None, grad.contiguous(), None, into, ctx.share, *ctx.sizes)
        return into, None, None


class _SpreadOnto(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, onto: Tensor, x: Tensor, other: Tensor, side: int, window: int) -> Tensor:
        ctx.sizes = onto.numel() // (side**2 * onto.shape[2]), side, onto.shape[2], window
        out = torch.empty_like(onto)
        kernels()("spread", onto.dtype, onto, x, other, out, 1.0, *ctx.sizes)
        ctx.small = x.shape
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        into = grad
        if ctx.sizes[-1] > 1:
            into = grad.new_empty(ctx.small)
            kernels()("window_sums", grad.dtype, grad.contiguous(), into, 1.0, *ctx.sizes)
        return grad, into, into, None, None


class _Signs(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, move: Tensor) -> Tensor:
        ctx.save_for_backward(x, move)
        out = torch.empty_like(x)
        kernels()("signs", x.dtype, x, move, out, *x.shape, 0, 0)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, move = ctx.saved_tensors
        into_x, into_move = torch.empty_like(x), torch.empty_like(move)
        kernels()("signs_backward", x.dtype, grad.contiguous(), x, move, None, into_x, into_move, *x.shape, 0, 0, 1)
        return into_x, into_move


@torch.no_grad()
def track(norm: nn.BatchNorm1d, mean: Tensor, var: Tensor, count: int) -> None:
    """Let a norm's running statistics follow mean and biased variance of ``count`` rows."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(var * (count / max(1, count - 1)), norm.momentum)


def track_rows(norm: nn.BatchNorm1d, statistics: Tensor, x: Tensor) -> None:
    """The same with a kernel's statistics of B x N x C."""
    track(norm, statistics[4], statistics[5], x.shape[0] * x.shape[1])


def norm_of(norm: nn.BatchNorm1d, x: Tensor, quant: ActQuant | None = None) -> Tensor:
    """quant(norm(x)), in training."""
    out, statistics = _Norm.apply(x.contiguous(), norm.weight, norm.bias, norm.eps, Rounding.of(quant))
    track_rows(norm, statistics, x)
    return out


def rprelu_of_norm(
    norm: nn.BatchNorm1d, rprelu: RPReLU, x: Tensor, shortcut: Tensor, quant: ActQuant | None = None
) -> Tensor:
    """quant(PReLU(norm(x) + shortcut - move_1) + move_2), in training.

    The shortcut may have fewer channels than x and is repeated, whole copies one after the other.
    """
    moves = rprelu.move_1, rprelu.slope, rprelu.move_2
    given = x.contiguous(), shortcut.contiguous(), norm.weight, norm.bias, *moves, norm.eps, Rounding.of(quant)
    out, statistics = _RPReLUOfNorm.apply(*given)
    track_rows(norm, statistics, x)
    return out


def affine_onto(
    x: Tensor, inner: Tensor, alpha: Tensor, move: Tensor, third: Tensor | None, quant: ActQuant | None
) -> Tensor:
    """quant(x + alpha * inner + move), with ``third`` on top where there is one."""
    more = None if third is None else third.contiguous()
    return _AffineOnto.apply(x.contiguous(), inner.contiguous(), more, alpha, move, Rounding.of(quant))


def pool_affines(x: Tensor, alphas: Tensor, move: Tensor, side: int, quant: ActQuant | None) -> Tensor:
    """``move`` and the means over 3 rows, 3 columns, 5 rows, 5 columns times ``alphas`` (4 x C), quantized."""
    return _Pools.apply(x.contiguous(), alphas, move, side, Rounding.of(quant))


def pool_grid(x: Tensor, side: int, window: int) -> Tensor:
    """Mean over non-overlapping ``window`` x ``window`` tokens: B x side^2 x C to B x (side/window)^2 x C."""
    return _PooledGrid.apply(x.contiguous(), side, window)


def upsampled_onto(onto: Tensor, x: Tensor, other: Tensor, window: int) -> Tensor:
    """``onto`` plus x + other; a token of these lies on each of the ``window`` x ``window`` that it covers."""
    # Windows of one token lie on any tokens, those of a grid with a class token before it as well.
    side = 1 if window == 1 else round(onto.shape[1] ** 0.5)
    return _SpreadOnto.apply(onto.contiguous(), x.contiguous(), other.contiguous(), side, window)


def moved_signs(x: Tensor, move: Tensor) -> Tensor:
    """sign(x + move) in x's type, with the paper's gradient."""
    return _Signs.apply(x.contiguous(), move)
