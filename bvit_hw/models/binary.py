"""What the binary layers compute with, and its gradients: signs, binary weights, attention's bits, PReLU.

All but PReLU have gradients that are not their own: straight through, or the paper's.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor


def plus_minus_one(x: Tensor) -> Tensor:
    """+1 for x >= 0, else -1, in x's type, without gradient."""
    # Adding 0 makes -0 positive; two passes over memory, where comparing and converting takes four.
    return torch.copysign(x.new_ones(()), x + 0.0)


class _Sign(torch.autograd.Function):
    """+1 for x >= 0, else -1; gradient 2 + 2x on [-1, 0], 2 - 2x on (0, 1], 0 elsewhere."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return plus_minus_one(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return x.abs().mul_(-2).add_(2).clamp_(min=0).mul_(grad)


class _BinaryWeight(torch.autograd.Function):
    """Row scale times sign of the (centred) weight; straight-through where the centred weight lies in [-1, 1]."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, centred: bool) -> Tensor:
        scale, offset = _scale_and_offset(weight, centred)
        shifted = weight - offset if centred else weight
        # Real weights hardly ever leave [-1, 1]. Where asking is cheap, that saves keeping and applying a mask.
        ctx.inside = asks_cheaply(weight) and _within_one(shifted)
        if not ctx.inside:
            ctx.save_for_backward((shifted.abs() <= 1).to(weight.dtype))
        return plus_minus_one(shifted).mul_(scale)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        if ctx.inside:
            return grad, None
        (mask,) = ctx.saved_tensors
        return grad * mask, None


class _BitProbability(torch.autograd.Function):
    """t * clamp(round(p / t), 0, 1) with the gradients of a learned-step quantizer (BiT's 1-bit probabilities)."""

    @staticmethod
    def forward(ctx: Any, p: Tensor, t: Tensor) -> Tensor:
        ratio = p / t
        bits = ratio.round().clamp_(0, 1)
        ctx.save_for_backward(ratio, bits)
        return bits * t

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        ratio, bits = ctx.saved_tensors
        inside = (ratio <= 1).to(ratio.dtype)
        # bits - ratio inside, 1 outside; in arithmetic, which CPUs do faster than selection.
        step = (bits - ratio).mul_(inside).add_(1 - inside)
        return grad * inside, step.mul_(grad).sum() / grad.numel() ** 0.5


def sign(x: Tensor) -> Tensor:
    """Binarize activations to +-1 (0 becomes +1) with the paper's piecewise quadratic gradient."""
    return _Sign.apply(x)


def binary_weight(weight: Tensor, centred: bool) -> Tensor:
    """Each row's scale times the sign of the (centred) weight, rows x cols; gradient straight through."""
    return _BinaryWeight.apply(weight, centred)


def bit_probability(p: Tensor, t: Tensor) -> Tensor:
    """Attention probabilities as {0, t}: t where p / t rounds to 1 or more (exactly one half rounds to 0)."""
    return _BitProbability.apply(p, t)


@torch.no_grad()
def binarize_weight(weight: Tensor, centred: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Signs (+-1, rows x cols), row scale mean(|w|) and row offset (rows x 1 each) of a real weight."""
    scale, offset = _scale_and_offset(weight, centred)
    return plus_minus_one(weight - offset), scale, offset


def _scale_and_offset(weight: Tensor, centred: bool) -> tuple[Tensor, Tensor]:
    scale = weight.abs().mean(dim=1, keepdim=True)
    return scale, weight.mean(dim=1, keepdim=True) if centred else torch.zeros_like(scale)


def _within_one(x: Tensor) -> bool:
    low, high = torch.aminmax(x)
    return bool(low >= -1) and bool(high <= 1)


def asks_cheaply(x: Tensor) -> bool:
    """Whether code may look at values of ``x``: not on a GPU, which would have to be waited for, nor when compiled."""
    return x.device.type == "cpu" and not torch.compiler.is_compiling()


class _PReLU(torch.autograd.Function):
    """PReLU over the last axis; PyTorch's own CPU gradient takes as long as ten passes over memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, slope: Tensor) -> Tensor:
        ctx.save_for_backward(x, slope)
        return F.prelu(x, slope)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        x, slope = ctx.saved_tensors
        negative = (x <= 0).to(x.dtype)
        factor = torch.addcmul(1 - negative, negative, slope)
        return factor.mul_(grad), x.clamp(max=0).mul_(grad).sum(dim=0)


def prelu(x: Tensor, slope: Tensor, *, training: bool) -> Tensor:
    """PReLU of rows x C; in ``training`` with our own gradient where that is faster."""
    return _PReLU.apply(x, slope) if training and asks_cheaply(x) else F.prelu(x, slope)
