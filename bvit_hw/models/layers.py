"""Binary layers of BinaryViT on token tensors, batch x tokens x channels (channels last throughout).

Beside what a layer computes stands how it freezes: the nodes of the integer contract that it emits through a builder.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.contract import FrozenTensor
from bvit_hw.contract.builder import Builder
from bvit_hw.contract.fixed_point import FloatArray, RealAffine
from bvit_hw.models import cpu_steps
from bvit_hw.models.binary import binarize_weight, binary_weight, prelu, sign
from bvit_hw.models.elementwise import affine_onto, rprelu_of_sum, sign_of_sum
from bvit_hw.models.fusing import fuses
from bvit_hw.models.grid import pool_channels, repeat_channels
from bvit_hw.models.quant import ActQuant, WeightQuant


def double(x: Tensor) -> FloatArray:
    """A parameter in double precision, for freezing."""
    return x.detach().to("cpu", torch.float64).numpy()


class BinaryLinear(nn.Module):
    """Linear layer of +-1 inputs with weights scale_row * (+-1), no bias; ``weight`` is rows x cols, real.

    Linear layers centre each row before taking signs, the patch merges' convolutions do not (``centred=False``).
    """

    def __init__(self, cols: int, rows: int, *, centred: bool = True) -> None:
        super().__init__()
        self.centred = centred
        self.weight = nn.Parameter(torch.empty(rows, cols))
        nn.init.normal_(self.weight, std=0.02)

    def binary(self) -> tuple[Tensor, Tensor]:
        """Signs as int8 (rows x cols) and the positive scale of each row, as freezing stores them."""
        signs, scale, _ = binarize_weight(self.weight.detach(), self.centred)
        return signs.to(torch.int8), scale[:, 0]

    def row_scale(self) -> FloatArray:
        """The scale of each row, for freezing."""
        return double(self.binary()[1])

    def forward(self, bits: Tensor) -> Tensor:
        return F.linear(bits, binary_weight(self.weight, self.centred))

    def freeze(self, b: Builder, name: str, bits: FrozenTensor) -> FrozenTensor:
        """The product as a node, without the rows' scale: what follows multiplies by it."""
        return b.binary_linear(name, bits, len(self.weight), lambda: self.binary()[0].cpu().numpy())


class ChannelNorm(nn.BatchNorm1d):
    """BatchNorm over the last axis of a token tensor, statistics over batch and tokens, eps 1e-5."""

    def forward(self, x: Tensor) -> Tensor:
        if self.has_steps(x):
            return cpu_steps.norm_of(self, x)
        return super().forward(x.reshape(-1, x.shape[-1])).view(x.shape)

    def quantized(self, x: Tensor, quant: ActQuant) -> Tensor:
        """quant(norm(x)) of B x N x C."""
        return cpu_steps.norm_of(self, x, quant) if self.has_steps(x) else quant(self(x))

    def has_steps(self, x: Tensor) -> bool:
        """Whether :mod:`bvit_hw.models.cpu_steps` computes this norm of B x N x C, and what follows it."""
        return self.training and cpu_steps.active(x)

    def scale_shift(self) -> tuple[Tensor, Tensor]:
        """What the norm does in eval mode, as scale * x + shift, each per channel, without gradient."""
        scale = self.weight.detach() * torch.rsqrt(self.running_var + self.eps)
        return scale, self.bias.detach() - self.running_mean * scale

    def real(self) -> tuple[FloatArray, FloatArray]:
        """Scale and shift (C) in eval mode, in double precision."""
        scale = double(self.weight) / np.sqrt(double(self.running_var) + self.eps)
        return scale, double(self.bias) - double(self.running_mean) * scale

    def mean_of(self, scale: FloatArray | None = None) -> FloatArray:
        """Mean of x where the norm is applied to scale * x; 0 where the scale says nothing about x."""
        mean = double(self.running_mean)
        return mean if scale is None else np.divide(mean, scale, out=np.zeros_like(mean), where=np.abs(scale) > 1e-12)

    def freeze(self, b: Builder, name: str, x: FrozenTensor, quant: ActQuant) -> FrozenTensor:
        """The norm of ``x``, quantized."""

        def own() -> RealAffine:
            scale, shift = self.real()
            return RealAffine(factors=(scale,), bias=shift[None], centre=self.mean_of())

        return b.norm(name, x, quant, own)


class RPReLU(nn.Module):
    """PReLU(x - move_1) + move_2 with a slope for each channel."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.move_1 = nn.Parameter(torch.zeros(channels))
        self.slope = nn.Parameter(torch.full((channels,), 0.25))
        self.move_2 = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shifted = (x - self.move_1).reshape(-1, x.shape[-1])
        return prelu(shifted, self.slope, training=self.training).view(x.shape) + self.move_2

    def of_norm(self, norm: ChannelNorm, x: Tensor, shortcut: Tensor) -> Tensor:
        """The unit's value at norm(x) + shortcut, whose channels are repeated where x has more."""
        return self.of_sum(norm(x), repeat_channels(shortcut, x.shape[-1] // shortcut.shape[-1]))

    def of_sum(self, x: Tensor, shortcut: Tensor) -> Tensor:
        """The unit's value at x + shortcut."""
        if fuses():
            return rprelu_of_sum(x, shortcut, self.move_1, self.slope, self.move_2)
        return self(x + shortcut)

    def real(
        self, norm: ChannelNorm, scale: FloatArray, shortcuts: int = 1, position: FloatArray | None = None
    ) -> RealAffine:
        """This of norm(scale * first input) + shortcuts; then a position embedding (tokens x C) where there is one."""
        norm_scale, shift = norm.real()
        move_2 = double(self.move_2)[None]
        return RealAffine(
            factors=(scale * norm_scale, *(1.0 for _ in range(shortcuts))),
            bias=(shift - double(self.move_1))[None],
            slope=double(self.slope),
            bias2=move_2 if position is None else move_2 + position,
            centre=norm.mean_of(scale),
        )


class Affine(nn.Module):
    """LayerScale with a shift: alpha * x + move, per channel."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels,), alpha))
        self.move = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return torch.addcmul(self.move, x, self.alpha)

    def onto(self, x: Tensor, inner: Tensor, other: Tensor | None, quant: ActQuant) -> Tensor:
        """quant(x + this affine of ``inner`` + ``other`` where there is one)."""
        if cpu_steps.active(x):
            return cpu_steps.affine_onto(x, inner, self.alpha, self.move, other, quant)
        out = affine_onto(x, inner, self.alpha, self.move) if fuses() else x + self(inner)
        return quant(out if other is None else out + other)

    def freeze(self, b: Builder, name: str, inner: FrozenTensor, *onto: FrozenTensor, quant: ActQuant) -> FrozenTensor:
        """This affine of ``inner`` on the others, quantized."""
        return b.residual(
            name, (inner, *onto), quant,
            lambda: RealAffine(factors=(double(self.alpha), *(1.0 for _ in onto)), bias=double(self.move)[None]),
        )  # fmt: skip


class RealLinear(nn.Linear):
    """What stands for a :class:`BinaryLinear` in a full-precision network; no bias, since a norm follows."""

    def __init__(self, cols: int, rows: int, *, centred: bool = True) -> None:
        del centred  # a binary layer's affair
        super().__init__(cols, rows, bias=False)
        nn.init.normal_(self.weight, std=cols**-0.5)


#: what a product's inputs go through: (x, move a channel) to what is multiplied
Inputs = Callable[[Tensor, Tensor], Tensor]


def binary_or_real(full_precision: bool) -> tuple[type[BinaryLinear] | type[RealLinear], Inputs]:
    """The linear layer of a network and what its inputs go through: sign(x + move), or x + move in full precision."""
    return (RealLinear, _moved) if full_precision else (BinaryLinear, moved_sign)


def moved_sign(x: Tensor, move: Tensor) -> Tensor:
    """sign(x + move) with the paper's gradient."""
    if cpu_steps.active(x):
        return cpu_steps.moved_signs(x, move)
    return sign_of_sum(x, move) if fuses() else sign(x + move)


def _moved(x: Tensor, move: Tensor) -> Tensor:
    return x + (move.to(x.dtype) if fuses() else move)


class Unscaled(nn.Identity):
    """What stands for an :class:`Affine` in the rows of the ablation without it."""

    def onto(self, x: Tensor, inner: Tensor, other: Tensor | None, quant: ActQuant) -> Tensor:
        """The same of ``inner`` itself."""
        out = x + inner
        return quant(out if other is None else out + other)

    def freeze(self, b: Builder, name: str, inner: FrozenTensor, *onto: FrozenTensor, quant: ActQuant) -> FrozenTensor:
        """The sum of all, quantized."""
        bias = np.zeros((1, inner.channels))
        return b.residual(
            name, (inner, *onto), quant, lambda: RealAffine(factors=(1.0, *(1.0 for _ in onto)), bias=bias)
        )


def placed(x: Tensor, position: Tensor) -> Tensor:
    """Tokens B x N x C with their position embedding, in the tokens' type where element-wise steps are fused."""
    return x + (position.to(x.dtype) if fuses() else position)


class BinaryUnit(nn.Module):
    """The step repeated all over the network: quant(rprelu(norm(linear(sign(x + move))) + shortcut)).

    With ``full_precision`` the same on real weights and inputs.
    """

    def __init__(self, cols: int, rows: int, bits: int, *, full_precision: bool = False) -> None:
        super().__init__()
        linear, self.inputs = binary_or_real(full_precision)
        self.move = nn.Parameter(torch.zeros(cols))
        self.linear = linear(cols, rows)
        self.norm = ChannelNorm(rows)
        self.rprelu = RPReLU(rows)
        self.quant = ActQuant(bits)

    def forward(self, x: Tensor, shortcut: Tensor | None = None, *, group: int = 1) -> Tensor:
        """``shortcut`` None: that is x, or its means over ``group`` channels."""
        if cpu_steps.serves(self.linear) and self.norm.has_steps(x):
            parts = self.move, self.linear, self.norm, self.rprelu, self.quant
            return cpu_steps.binary_unit(x, shortcut, *parts, group=group)
        if shortcut is None:
            shortcut = pool_channels(x, group)
        return self.quant(self.rprelu.of_norm(self.norm, self.linear(self.inputs(x, self.move)), shortcut))

    def freeze(self, b: Builder, names: tuple[str, str, str], x: FrozenTensor, shortcut: FrozenTensor) -> FrozenTensor:
        """The whole unit; ``names`` of the bits, their product and the result."""
        return self.freeze_sum(b, names[2], self.freeze_product(b, names[0], names[1], x), shortcut)

    def freeze_product(self, b: Builder, bits: str, product: str, x: FrozenTensor) -> FrozenTensor:
        """The first half: the signs of x + move and their product with the weights."""
        return self.linear.freeze(b, product, b.binarize(bits, x, lambda: double(self.move)))

    def freeze_sum(self, b: Builder, name: str, product: FrozenTensor, shortcut: FrozenTensor) -> FrozenTensor:
        """The second half: norm, shortcut and RPReLU."""
        return b.rprelu(
            name, (product, shortcut), self.quant, lambda: self.rprelu.real(self.norm, self.linear.row_scale())
        )


class PatchLinear(nn.Module):
    """Full-precision patch convolution and its norm, the weight quantized with the norm's scale folded in.

    ``weight`` is rows x cols, columns in the order (ky, kx, input channel). Quantized, the layer computes with
    Q(weight * fold) / fold where ``fold`` = norm scale x ``column_scale``: freezing takes Q(weight * fold) as is, and
    hardware needs no multiplier behind it. ``column_scale`` is the factor from hardware's input integers to the layer's
    real inputs where that is no power of two: 1 / (255 std) for pixels.
    """

    def __init__(
        self, cols: int, rows: int, bits: int, *, bias: bool, norm: bool, column_scale: Tensor | None = None
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(rows, cols))
        nn.init.trunc_normal_(self.weight, std=cols**-0.5)
        self.bias = nn.Parameter(torch.zeros(rows)) if bias else None
        self.norm = ChannelNorm(rows) if norm else None
        self.quant_weight = WeightQuant(bits)
        self.register_buffer("column_scale", column_scale, persistent=False)

    def fold(self) -> Tensor:
        """Factor (rows x 1 or rows x cols, never 0) between the real weight and the one that hardware holds."""
        scale = torch.ones(len(self.weight)) if self.norm is None else self.norm.scale_shift()[0]
        # A norm that switches a channel off still needs an invertible factor here.
        scale = torch.where(scale.abs() < 1e-8, 1e-8, scale).to(self.weight)[:, None]
        return scale if self.column_scale is None else scale * self.column_scale

    def folded_weight(self) -> Tensor:
        """The real weight times :meth:`fold`: what :attr:`quant_weight` turns into integers."""
        return self.weight.detach() * self.fold()

    def forward(self, patches: Tensor) -> Tensor:
        weight = self.weight
        if self.quant_weight.mode == "quant":
            fold = self.fold()
            weight = self.quant_weight(weight * fold) / fold
        x = F.linear(patches, weight, self.bias)
        return x if self.norm is None else self.norm(x)

    def freeze(self, b: Builder, name: str, patches: FrozenTensor) -> FrozenTensor:
        """The product with the folded weight alone; norm and bias are what follows' affair."""
        return b.int_linear(
            name, patches, len(self.weight), self.quant_weight.bits,
            lambda: self.quant_weight.integers(self.folded_weight()),
        )  # fmt: skip
