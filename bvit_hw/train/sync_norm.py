"""BatchNorm over the batches of all processes, with gradients through the shared statistics; any backend, CPU or GPU.

torch.nn.SyncBatchNorm takes no CPU tensors and normalizes axis 1; tokens are batch x tokens x channels.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from bvit_hw.models.cpu_steps.steps import track
from bvit_hw.models.layers import ChannelNorm


def _moments(x: Tensor) -> Tensor:
    """Mean and mean square over rows, 2 x C in float64."""
    if x.is_cuda:
        var, mean = torch.var_mean(x, dim=0, correction=0)
        mean = mean.double()
        return torch.stack((mean, var.double() + mean * mean))
    # PyTorch's own norm sums in float64 on the CPU; doing so too keeps the last bits, which signs hang on.
    wide = x.double()
    return torch.stack((wide.mean(dim=0), wide.square().mean(dim=0)))


class _SyncedNorm(torch.autograd.Function):
    """(x - mean) / sqrt(var + eps) * weight + bias of rows x C, statistics over the rows of all processes.

    All have equally many rows. Also returns mean and biased variance, without gradient. Sums travel in float64, so that
    E[x^2] - mean^2 costs no accuracy.
    """

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float, world: int
    ) -> tuple[Tensor, Tensor, Tensor]:
        wide = x.to(weight.dtype)
        moments = _moments(wide)
        dist.all_reduce(moments)
        moments /= world
        mean, square = moments.unbind()
        var = (square - mean * mean).clamp_(min=0)
        inverse = torch.rsqrt(var + eps).to(weight.dtype)
        mean, var = mean.to(weight.dtype), var.to(weight.dtype)
        ctx.save_for_backward(x, weight, mean, inverse)
        ctx.world = world
        scale = inverse * weight
        y = torch.addcmul(bias - mean * scale, wide, scale).to(x.dtype)
        ctx.mark_non_differentiable(mean, var)
        return y, mean, var

    @staticmethod
    def backward(ctx: Any, grad: Tensor, *_unused: Tensor) -> tuple[Tensor | None, ...]:
        x, weight, mean, inverse = ctx.saved_tensors
        grad = grad.to(weight.dtype)
        centred = x.to(weight.dtype) - mean
        grad_bias = grad.sum(dim=0)
        grad_weight = (grad * centred).sum(dim=0) * inverse
        # The input's gradient needs the means over everybody's rows; weight and bias are averaged like any parameter.
        sums = torch.stack((grad_bias, grad_weight)).double()
        dist.all_reduce(sums)
        means = (sums / (ctx.world * x.shape[0])).to(weight.dtype)
        grad_x = (grad - means[0] - centred * (inverse * means[1])) * (inverse * weight)
        return grad_x.to(x.dtype), grad_weight, grad_bias, None, None


class SyncedChannelNorm(ChannelNorm):
    """A :class:`ChannelNorm` whose training statistics are those of the global batch."""

    def has_steps(self, x: Tensor) -> bool:
        return False

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return super().forward(x)
        world = dist.get_world_size()
        rows = x.reshape(-1, x.shape[-1])
        y, mean, var = _SyncedNorm.apply(rows, self.weight, self.bias, self.eps, world)
        count = world * rows.shape[0]
        track(self, mean, var, count)
        return y.view(x.shape)


def synchronize_norms(model: nn.Module) -> None:
    """Turn every :class:`ChannelNorm` of ``model`` into a synchronized one, in place; names and values stay."""
    for module in model.modules():
        if type(module) is ChannelNorm:
            module.__class__ = SyncedChannelNorm
