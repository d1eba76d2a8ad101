"""The element-wise steps between a network's products, each as one function with a gradient written out.

They are bound by memory: eagerly each arithmetic operator is a pass over the activations. Written as one function, with
its gradient, a step can be compiled into one kernel forward and one backward (bvit_hw.models.fusing), in seconds and
for every shape at once, where compiling whole blocks takes minutes.

Values are computed in the type of the activations; gradients of per-channel parameters are summed in float32.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from bvit_hw.models.fusing import kernel


@kernel
def _sign_forward(x: Tensor, move: Tensor) -> Tensor:
    one = torch.ones((), dtype=x.dtype, device=x.device)
    return torch.where(x + move.to(x.dtype) >= 0, one, -one)


@kernel
def _sign_backward(grad: Tensor, x: Tensor, move: Tensor) -> tuple[Tensor, Tensor]:
    slope = (2 - 2 * (x + move.to(x.dtype)).abs()).clamp(min=0)
    out = grad * slope
    return out, _over_rows(out)


@kernel
def _rprelu_forward(
    x: Tensor, shortcut: Tensor, move_1: Tensor, slope: Tensor, move_2: Tensor
) -> tuple[Tensor, Tensor]:
    kind = x.dtype
    shifted = x + shortcut.to(kind) - move_1.to(kind)
    return torch.where(shifted > 0, shifted, shifted * slope.to(kind)) + move_2.to(kind), shifted


@kernel
def _rprelu_backward(grad: Tensor, shifted: Tensor, slope: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    positive = shifted > 0
    out = torch.where(positive, grad, grad * slope.to(grad.dtype))
    into_slope = torch.where(positive, torch.zeros_like(grad), grad * shifted)
    return out, -_over_rows(out), _over_rows(into_slope), _over_rows(grad)


@kernel
def _fixed_point_forward(x: Tensor, scale: Tensor, high: int) -> tuple[Tensor, Tensor]:
    # A power of two divides exactly, in whatever type.
    factor = scale.to(x.dtype)
    rounded = (x / factor).round()
    return rounded.clamp(-high, high - 1) * factor, (rounded >= -high) & (rounded < high)


@kernel
def _masked(grad: Tensor, inside: Tensor) -> Tensor:
    return grad * inside.to(grad.dtype)


@kernel
def _affine_forward(x: Tensor, inner: Tensor, alpha: Tensor, move: Tensor) -> Tensor:
    kind = x.dtype
    return x + (inner.to(kind) * alpha.to(kind) + move.to(kind))


@kernel
def _affine_backward(grad: Tensor, inner: Tensor, alpha: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return grad * alpha.to(grad.dtype), _over_rows(grad * inner.to(grad.dtype)), _over_rows(grad)


def _neighbours(grid: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Sums over 3 rows, 3 columns, 5 rows, 5 columns around each token of B x S x S x C, zeros beyond the border."""
    side = grid.shape[1]
    wide = F.pad(grid, (0, 0, 2, 2, 2, 2))

    def at(down: int, right: int) -> Tensor:
        return wide[:, 2 + down : 2 + down + side, 2 + right : 2 + right + side]

    rows, columns = grid + at(-1, 0) + at(1, 0), grid + at(0, -1) + at(0, 1)
    return rows, columns, rows + at(-2, 0) + at(2, 0), columns + at(0, -2) + at(0, 2)


@kernel
def _pools_forward(grid: Tensor, alphas: Tensor, move: Tensor) -> Tensor:
    kind = grid.dtype
    h3, w3, h5, w5 = _neighbours(grid)
    a = alphas.to(kind)
    return (h3 * a[0] + w3 * a[1]) / 3 + (h5 * a[2] + w5 * a[3]) / 5 + move.to(kind)


@kernel
def _pools_backward(grad: Tensor, grid: Tensor, alphas: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    # The windows are symmetric, so each pool is its own transpose.
    a = alphas.to(grad.dtype)
    h3, w3, h5, w5 = _neighbours(grad)
    out = (h3 * a[0] + w3 * a[1]) / 3 + (h5 * a[2] + w5 * a[3]) / 5
    into = [_over_rows(pool * grid) / size for pool, size in ((h3, 3), (w3, 3), (h5, 5), (w5, 5))]
    return out, torch.stack(into), _over_rows(grad)


def _over_rows(x: Tensor) -> Tensor:
    return x.flatten(0, -2).sum(dim=0, dtype=torch.promote_types(x.dtype, torch.float32))


class _SignOfSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, move: Tensor) -> Tensor:
        ctx.save_for_backward(x, move)
        return _sign_forward(x, move)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor]:
        return _sign_backward(grad, *ctx.saved_tensors)


class _RPReLUOfSum(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, shortcut: Tensor, move_1: Tensor, slope: Tensor, move_2: Tensor) -> Tensor:
        out, shifted = _rprelu_forward(x, shortcut, move_1, slope, move_2)
        ctx.save_for_backward(shifted, slope)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
        shifted, slope = ctx.saved_tensors
        out, into_move_1, into_slope, into_move_2 = _rprelu_backward(grad, shifted, slope)
        return out, out, into_move_1, into_slope, into_move_2


class _AffineOnto(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, inner: Tensor, alpha: Tensor, move: Tensor) -> Tensor:
        ctx.save_for_backward(inner, alpha)
        return _affine_forward(x, inner, alpha, move)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        return grad, *_affine_backward(grad, *ctx.saved_tensors)


class _Pools(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, grid: Tensor, alphas: Tensor, move: Tensor) -> Tensor:
        ctx.save_for_backward(grid, alphas)
        return _pools_forward(grid, alphas, move)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        grid, alphas = ctx.saved_tensors
        return _pools_backward(grad, grid, alphas)


class _FixedPoint(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, scale: Tensor, bits: int) -> Tensor:
        out, inside = _fixed_point_forward(x, scale, 2 ** (bits - 1))
        ctx.save_for_backward(inside)
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:
        return _masked(grad, *ctx.saved_tensors), None, None


def sign_of_sum(x: Tensor, move: Tensor) -> Tensor:
    """sign(x + move) as +-1, ``move`` a value a channel (last axis); the paper's gradient 2 - 2|x + move| within 1."""
    return _SignOfSum.apply(x, move)


def rprelu_of_sum(x: Tensor, shortcut: Tensor, move_1: Tensor, slope: Tensor, move_2: Tensor) -> Tensor:
    """PReLU(x + shortcut - move_1) + move_2, parameters a value a channel (last axis)."""
    return _RPReLUOfSum.apply(x, shortcut, move_1, slope, move_2)


def fixed_point(x: Tensor, scale: Tensor, bits: int) -> Tensor:
    """round(x / scale), saturated to signed ``bits``, times scale; the gradient passes where nothing saturates.

    Brevitas' quantizer for a power of two, values and gradients to the last bit.
    """
    return _FixedPoint.apply(x, scale, bits)


def affine_onto(x: Tensor, inner: Tensor, alpha: Tensor, move: Tensor) -> Tensor:
    """x + alpha * inner + move, alpha and move a value a channel (last axis)."""
    return _AffineOnto.apply(x, inner, alpha, move)


def pool_affines(grid: Tensor, alphas: Tensor, move: Tensor) -> Tensor:
    """``move`` and the means over 3 rows, 3 columns, 5 rows, 5 columns times ``alphas`` (4 x C, in that order).

    ``grid`` is B x S x S x C; windows are zero padded and always divided by 3 or 5.
    """
    return _Pools.apply(grid, alphas, move)
