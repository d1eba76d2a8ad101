"""Norms of a training step on a CPU, alone or with the RPReLU of a sum behind them, in as few passes as there can be.

A norm's statistics are needed before its result can be computed, and the sums of its gradient before that gradient. So
there are two passes forward and two backward: sums, which read only, and values. What is cheap is computed again
instead of being written and read: memory is what bounds these steps. Sums over rows are taken picture by picture and
then over pictures, so that they do not depend on the number of threads.

Activations are B x N x C. Statistics are taken in float64, since signs behind a norm hang on the last bits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bvit_hw.models.fusing import kernel

if TYPE_CHECKING:
    from bvit_hw.models.layers import RPReLU

#: what these steps are for: mixed precision keeps PyTorch's norm
TYPES = (torch.float32, torch.float64)


def _statistics(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Mean, biased variance, 1 / deviation, and the norm as scale * x + shift; each a value a channel."""
    wide = x.double()
    rows = x.shape[0] * x.shape[1]
    mean = wide.sum(dim=1).sum(dim=0) / rows
    var = ((wide * wide).sum(dim=1).sum(dim=0) / rows - mean * mean).clamp(min=0)
    inverse = torch.rsqrt(var + eps).to(x.dtype)
    scale = inverse * weight
    mean = mean.to(x.dtype)
    return mean, var.to(x.dtype), inverse, scale, bias - mean * scale


def _over_rows(x: Tensor) -> Tensor:
    return x.sum(dim=1).sum(dim=0)


def _into_input(
    grad: Tensor, centred: Tensor, inverse: Tensor, scale: Tensor, over: Tensor, over_centred: Tensor
) -> Tensor:
    """The gradient of a norm's input, from that of its output and its sums, alone and times ``centred``."""
    rows = grad.shape[0] * grad.shape[1]
    return (grad - over / rows - centred * (inverse * inverse * over_centred / rows)) * scale


@kernel
def _norm_forward(x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, ...]:
    mean, var, inverse, scale, shift = _statistics(x, weight, bias, eps)
    return torch.addcmul(shift, x, scale), mean, var, inverse, scale


@kernel
def _norm_backward(
    grad: Tensor, x: Tensor, mean: Tensor, inverse: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of input, weight and bias."""
    centred = x - mean
    over, over_centred = _over_rows(grad), _over_rows(grad * centred)
    return _into_input(grad, centred, inverse, scale, over, over_centred), over_centred * inverse, over


def _shifted(x: Tensor, shortcut: Tensor, scale: Tensor, shift: Tensor, move_1: Tensor) -> Tensor:
    return torch.addcmul(shift, x, scale) + shortcut - move_1


@kernel
def _unit_forward(
    x: Tensor,
    shortcut: Tensor,
    weight: Tensor,
    bias: Tensor,
    eps: float,
    move_1: Tensor,
    slope: Tensor,
    move_2: Tensor,
) -> tuple[Tensor, ...]:
    # x is B x N x copies x C', as the parameters are copies x C'; the shortcut B x N x 1 x C'.
    mean, var, inverse, scale, shift = _statistics(x, weight, bias, eps)
    shifted = _shifted(x, shortcut, scale, shift, move_1)
    return torch.where(shifted > 0, shifted, shifted * slope) + move_2, mean, var, inverse, scale, shift


@kernel
def _unit_backward(
    grad: Tensor,
    x: Tensor,
    shortcut: Tensor,
    mean: Tensor,
    inverse: Tensor,
    scale: Tensor,
    shift: Tensor,
    move_1: Tensor,
    slope: Tensor,
) -> tuple[Tensor, ...]:
    """Gradients of x, shortcut, weight, bias, slope and move_2; that of move_1 is the bias's with another sign."""
    shifted, centred = _shifted(x, shortcut, scale, shift, move_1), x - mean
    positive = shifted > 0
    inner = torch.where(positive, grad, grad * slope)
    over, over_centred = _over_rows(inner), _over_rows(inner * centred)
    into_slope = _over_rows(torch.where(positive, torch.zeros_like(grad), grad * shifted))
    into_x = _into_input(inner, centred, inverse, scale, over, over_centred)
    into_shortcut = inner.sum(dim=2, keepdim=True)
    return into_x, into_shortcut, over_centred * inverse, over, into_slope, _over_rows(grad)


class _Norm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        out, mean, var, inverse, scale = _norm_forward(x, weight, bias, eps)
        ctx.save_for_backward(x, mean, inverse, scale)
        ctx.mark_non_differentiable(mean, var)
        return out, mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_unused: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        return *_norm_backward(grad.contiguous(), *ctx.saved_tensors), None


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        shortcut: Tensor,
        weight: Tensor,
        bias: Tensor,
        eps: float,
        move_1: Tensor,
        slope: Tensor,
        move_2: Tensor,
    ) -> tuple[Tensor, Tensor, Tensor]:
        grouped = (-1, shortcut.shape[-1])
        x, shortcut = x.unflatten(-1, grouped), shortcut.unsqueeze(2)
        weight, bias, move_1, slope, move_2 = (each.view(grouped) for each in (weight, bias, move_1, slope, move_2))
        out, mean, var, *kept = _unit_forward(x, shortcut, weight, bias, eps, move_1, slope, move_2)
        ctx.save_for_backward(x, shortcut, mean, *kept, move_1, slope)
        mean, var = mean.flatten(), var.flatten()
        ctx.mark_non_differentiable(mean, var)
        return out.flatten(2), mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_unused: Tensor) -> tuple[Tensor | None, ...]:
        x, *others = ctx.saved_tensors
        into_x, into_shortcut, *channels = _unit_backward(grad.reshape(x.shape), x, *others)
        weight, bias, slope, move_2 = (each.flatten() for each in channels)
        return into_x.flatten(2), into_shortcut.squeeze(2), weight, bias, None, -bias, slope, move_2


@torch.no_grad()
def track(norm: nn.BatchNorm1d, mean: Tensor, var: Tensor, count: int) -> None:
    """Let a norm's running statistics follow mean and biased variance of ``count`` rows."""
    norm.num_batches_tracked += 1
    norm.running_mean.lerp_(mean, norm.momentum)
    norm.running_var.lerp_(var * (count / max(1, count - 1)), norm.momentum)


def norm_of(norm: nn.BatchNorm1d, x: Tensor) -> Tensor:
    """The norm of B x N x C over batch and tokens, in training."""
    out, mean, var = _Norm.apply(x.contiguous(), norm.weight, norm.bias, norm.eps)
    track(norm, mean, var, x.shape[0] * x.shape[1])
    return out


def rprelu_of_norm(norm: nn.BatchNorm1d, rprelu: RPReLU, x: Tensor, shortcut: Tensor) -> Tensor:
    """PReLU(norm(x) + shortcut - move_1) + move_2 of B x N x C, in training.

    The shortcut may have fewer channels than x and is repeated, whole copies one after the other.
    """
    moves = rprelu.move_1, rprelu.slope, rprelu.move_2
    out, mean, var = _Unit.apply(x.contiguous(), shortcut.contiguous(), norm.weight, norm.bias, norm.eps, *moves)
    track(norm, mean, var, x.shape[0] * x.shape[1])
    return out
