"""A binary unit of a training step through kernels.cpp: signs, product, norm, shortcut, RPReLU and quantizer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor, nn

from bvit_hw.models.cpu_steps.library import kernels
from bvit_hw.models.cpu_steps.steps import Rounding, track_rows

if TYPE_CHECKING:
    from bvit_hw.models.layers import BinaryLinear, ChannelNorm, RPReLU
    from bvit_hw.models.quant import ActQuant

#: products are kept in two bytes
_MOST_COLUMNS = 2**15 - 1


def serves(linear: nn.Module) -> bool:
    """Whether :func:`binary_unit` computes a unit of this layer: one of binary weights."""
    return hasattr(linear, "binary") and linear.weight.shape[1] <= _MOST_COLUMNS


class _How(NamedTuple):
    """What of a unit is no tensor with a gradient."""

    centred: bool
    eps: float
    rounding: Rounding
    #: windows that signs are gathered into (0: none), and the side of the grid that they lie on
    window: int
    side: int
    #: the shortcut is the mean over so many channels of the input; 0: it is another tensor
    group: int


def _product(signs: Tensor, weight: Tensor) -> Tensor:
    """The integers of +-1 rows (... x C, bytes) times those of a weight (R x C, bytes)."""
    rows = signs.view(-1, signs.shape[-1])
    if torch.cpu._is_vnni_supported():
        return torch._int_mm(rows, weight.T)
    # Sums of signs are exact in float32 as well.
    return (rows.float() @ weight.float().T).to(torch.int32)


class _Weight(NamedTuple):
    """A weight's signs (bytes), row scales, and where it is too far from 0 to learn (None: nowhere)."""

    signs: Tensor
    scale: Tensor
    outside: Tensor | None

    @classmethod
    def of(cls, weight: Tensor, centred: bool) -> _Weight:
        # A row of zeros is multiplied by next to nothing, so that its gradient can be divided by it.
        scale = weight.abs().mean(dim=1).clamp_(min=1e-30)
        shifted = weight - weight.mean(dim=1, keepdim=True) if centred else weight
        low, high = torch.aminmax(shifted)
        outside = shifted.abs() > 1 if low < -1 or high > 1 else None
        return cls((shifted >= 0).to(torch.int8).mul_(2).sub_(1), scale, outside)


class _Unit(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, x: Tensor, shortcut: Tensor | None, move: Tensor, weight: Tensor, gamma: Tensor, beta: Tensor,
        move_1: Tensor, slope: Tensor, move_2: Tensor, how: _How,
    ) -> tuple[Tensor, Tensor]:  # fmt: skip
        run, kind = kernels(), x.dtype
        batch, tokens, channels = x.shape
        binary = _Weight.of(weight, how.centred)
        rows, cols = weight.shape
        signs = torch.empty(batch, tokens * channels // cols, cols, dtype=torch.int8)
        run("sign_bytes", kind, x, move, signs, batch, tokens, channels, how.side, how.window)
        product = _product(signs, binary.signs)
        if shortcut is None:
            shortcut = x
            if how.group > 1:
                shortcut = x.new_empty(batch, tokens, channels // how.group)
                run("group_means", kind, x, shortcut, batch * tokens, channels, how.group)
        kept = torch.empty(product.shape, dtype=torch.int16)
        out, statistics = x.new_empty(batch, signs.shape[1], rows), x.new_empty(6, rows)
        sizes = batch, signs.shape[1], rows, rows // shortcut.shape[2]
        parameters = gamma, beta, move_1, slope, move_2
        given = product, kept, shortcut, binary.scale, *parameters, out, statistics
        run("unit_forward", kind, *given, *sizes, cols, how.eps, *how.rounding)
        ctx.how, ctx.sizes = how, sizes
        ctx.save_for_backward(x, shortcut, move, signs, *binary, kept, statistics, move_1, slope, move_2)
        ctx.mark_non_differentiable(statistics)
        return out, statistics

    @staticmethod
    def backward(ctx: Any, grad: Tensor, _unused: Tensor) -> tuple[Tensor | None, ...]:
        how, run = ctx.how, kernels()
        x, shortcut, move, signs, signs_w, scale, outside, kept, statistics, *moves = ctx.saved_tensors
        kind, narrow = x.dtype, run.gradient_kind(x.dtype)
        brief = narrow != kind
        rows, cols = signs_w.shape
        into_product = torch.empty(kept.shape, dtype=narrow)
        into_shortcut, channels = torch.empty_like(shortcut), x.new_empty(4, rows)
        given = grad.contiguous(), kept, shortcut, statistics, *moves, into_product, into_shortcut, channels
        run("unit_backward", kind, *given, *ctx.sizes, *how.rounding, brief=brief)
        gamma, beta, slope, move_2 = channels
        into_weight = (into_product.T @ signs.view(-1, cols).to(narrow)).to(kind).div_(scale[:, None])
        if outside is not None:
            into_weight.masked_fill_(outside, 0)
        into_signs = into_product @ signs_w.to(narrow)
        into_x, into_move = torch.empty_like(x), torch.empty_like(move)
        onto = into_shortcut if how.group else None
        given = into_signs, x, move, onto, into_x, into_move
        run("signs_backward", kind, *given, *x.shape, how.side, how.window, max(1, how.group), brief=brief)
        others = into_move, into_weight, gamma, beta, -beta, slope, move_2
        return into_x, None if how.group else into_shortcut, *others, None


def binary_unit(
    x: Tensor, shortcut: Tensor | None, move: Tensor, linear: BinaryLinear, norm: ChannelNorm, rprelu: RPReLU,
    quant: ActQuant | None = None, *, group: int = 1, window: int = 0, side: int = 0,
) -> Tensor:  # fmt: skip
    """quant(rprelu(norm(linear(sign(x + move))) + shortcut)) of B x N x C, in training.

    The shortcut may have fewer channels than the product and is repeated, whole copies one after the other; None: it is
    x, or its means over ``group`` channels. With ``window`` the signs of tokens on a grid of ``side`` are gathered
    before the product.
    """
    how = _How(linear.centred, norm.eps, Rounding.of(quant), window, side, group if shortcut is None else 0)
    moves = rprelu.move_1, rprelu.slope, rprelu.move_2
    other = None if shortcut is None else shortcut.contiguous()
    out, statistics = _Unit.apply(x.contiguous(), other, move, linear.weight, norm.weight, norm.bias, *moves, how)
    track_rows(norm, statistics, out)
    return out
