"""BinaryViT as its description reads: eager PyTorch, one line a formula, nothing clever.

A second implementation, independent of ``bvit_hw.models``, with the module names of the paper's published code: its
``state_dict`` is such a checkpoint. Tests compare imports with it block by block; benchmarks take it as the baseline of
a training step. Residual stream and weights stay in floating point, binarization has straight-through gradients.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@dataclass(frozen=True, kw_only=True)
class PlainSizes:
    """Sizes and variant; tuples have one entry a stage. A plain ViT is one stage with ``reductions=(1,)``."""

    image_size: int
    channels: Sequence[int]
    depths: Sequence[int]
    heads: Sequence[int]
    mlp_widths: Sequence[int]
    reductions: Sequence[int]
    classes: int
    patch_size: int = 4
    in_channels: int = 3
    some_fp: bool = False
    stem_norm: bool = True
    class_token: bool = False
    pool_branches: bool = True
    affine: bool = True


#: BinaryViT-small/4/224
SMALL_224 = PlainSizes(
    image_size=224, channels=(64, 128, 256, 512), depths=(3, 4, 8, 4), heads=(1, 2, 4, 8),
    mlp_widths=(512, 1024, 1024, 2048), reductions=(8, 4, 1, 1), classes=1000,
)  # fmt: skip


class _Sign(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        ctx.save_for_backward(x)
        return torch.where(x >= 0, torch.ones_like(x), -torch.ones_like(x))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        rising = (2 + 2 * x) * ((x >= -1) & (x <= 0))
        falling = (2 - 2 * x) * ((x > 0) & (x <= 1))
        return grad * (rising + falling)


def sign(x: Tensor) -> Tensor:
    """+1 for x >= 0, else -1."""
    return _Sign.apply(x)


def straight_through(value: Tensor, through: Tensor) -> Tensor:
    """``value``, with the gradient of ``through``."""
    return value.detach() + through - through.detach()


class BinaryDense(nn.Module):
    """y = W x with W = mean|w| sign(w - mean w), per row."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(outputs, inputs))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight.abs().mean(dim=1, keepdim=True).detach()
        centred = self.weight - self.weight.mean(dim=1, keepdim=True).detach()
        binary = straight_through(scale * sign(centred), centred.clamp(-1, 1))
        return F.linear(x, binary)


class BinaryConv(nn.Module):
    """2 x 2 convolution of stride 2 with W = mean|w| sign(w), the mean over a whole filter."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(0.02 * torch.randn(outputs, inputs, 2, 2))

    def forward(self, x: Tensor) -> Tensor:
        scale = self.weight.abs().mean(dim=(1, 2, 3), keepdim=True).detach()
        return F.conv2d(x, straight_through(scale * sign(self.weight), self.weight.clamp(-1, 1)), stride=2)


class TokenNorm(nn.BatchNorm1d):
    """BatchNorm over the channels of B x N x C."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.transpose(1, 2)).transpose(1, 2)


class RPReLU(nn.Module):
    """PReLU(x - move1) + move2 on the last axis."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.move1 = nn.Parameter(torch.zeros(channels))
        self.prelu = nn.PReLU(channels)
        self.move2 = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        shifted = x - self.move1
        return torch.where(shifted >= 0, shifted, self.prelu.weight * shifted) + self.move2


class LayerScale(nn.Module):
    """alpha x + move on the last axis."""

    def __init__(self, channels: int, alpha: float) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.full((channels,), alpha))
        self.move = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return self.alpha * x + self.move


def to_grid(x: Tensor) -> Tensor:
    """B x N x C tokens to B x C x side x side."""
    side = math.isqrt(x.shape[1])
    return x.transpose(1, 2).reshape(x.shape[0], x.shape[2], side, side)


def to_tokens(x: Tensor) -> Tensor:
    """B x C x H x W to B x (H W) x C."""
    return x.flatten(2).transpose(1, 2)


class SelfAttention(nn.Module):
    """Queries, keys, values, 1-bit probabilities, context; h in, rprelu(norm(context) + q + k + v) out."""

    def __init__(self, channels: int, heads: int, reduction: int) -> None:
        super().__init__()
        self.heads, self.ratio = heads, reduction
        for part, linear, norm in self._parts():
            setattr(self, f"move{part}", nn.Parameter(torch.zeros(channels)))
            setattr(self, linear, BinaryDense(channels, channels))
            setattr(self, norm, TokenNorm(channels))
            setattr(self, f"rprelu{part}", RPReLU(channels))
        for part in "qkv":
            setattr(self, f"move{part}2", nn.Parameter(torch.zeros(channels)))
        self.att_prob_clip = nn.Parameter(torch.tensor(0.02))
        self.norm_context = TokenNorm(channels)
        self.rprelu_context = RPReLU(channels)

    def _parts(self) -> list[tuple[str, str, str]]:
        parts = [("q", "query", "normq"), ("k", "key", "normk"), ("v", "value", "normv")]
        return parts + ([("r", "reduction", "norm_r")] if self.ratio > 1 else [])

    def _project(self, part: tuple[str, str, str], x: Tensor) -> Tensor:
        letter, linear, norm = (getattr(self, name) for name in (f"move{part[0]}", part[1], part[2]))
        return getattr(self, f"rprelu{part[0]}")(norm(linear(sign(x + letter))) + x)

    def _heads(self, x: Tensor) -> Tensor:
        return x.reshape(x.shape[0], x.shape[1], self.heads, -1).permute(0, 2, 1, 3)

    def forward(self, h: Tensor) -> Tensor:
        query, key, value, *pooled = self._parts()
        g = h
        if pooled:
            g = self._project(pooled[0], to_tokens(F.avg_pool2d(to_grid(h), self.ratio)))
        q, k, v = self._project(query, h), self._project(key, g), self._project(value, g)
        keys = self._heads(sign(k + self.movek2))
        scores = self._heads(sign(q + self.moveq2)) @ keys.transpose(-1, -2) / math.sqrt(keys.shape[-1])
        share = F.softmax(scores, dim=-1) / self.att_prob_clip
        bits = straight_through(torch.round(share).clamp(0, 1), share.clamp(0, 1))
        context = (self.att_prob_clip * bits) @ self._heads(sign(v + self.movev2))
        context = context.permute(0, 2, 1, 3).flatten(2)
        if pooled:
            k, v = (to_tokens(F.interpolate(to_grid(x), scale_factor=self.ratio, mode="nearest")) for x in (k, v))
        return self.rprelu_context(self.norm_context(context) + q + k + v)


class DenseUnit(nn.Module):
    """rprelu(norm(W sign(x + move)) + shortcut), the shortcut adapted to the outputs; LayerScale where asked for."""

    def __init__(self, inputs: int, outputs: int, scaled: bool) -> None:
        super().__init__()
        self.move = nn.Parameter(torch.zeros(inputs))
        self.dense = BinaryDense(inputs, outputs)
        self.norm = TokenNorm(outputs)
        self.rprelu = RPReLU(outputs)
        if scaled:
            self.layerscale = LayerScale(outputs, 0.1)

    def forward(self, x: Tensor) -> Tensor:
        inputs, outputs = x.shape[-1], self.dense.weight.shape[0]
        short = x
        if outputs > inputs:
            short = torch.cat([x] * (outputs // inputs), dim=-1)
        elif outputs < inputs:
            short = F.avg_pool1d(x, inputs // outputs)
        out = self.rprelu(self.norm(self.dense(sign(x + self.move))) + short)
        return self.layerscale(out) if hasattr(self, "layerscale") else out


class Layer(nn.Module):
    """One transformer block."""

    _BRANCHES = {"h3": (3, 1), "w3": (1, 3), "h5": (5, 1), "w5": (1, 5)}  # noqa: RUF012

    def __init__(self, sizes: PlainSizes, stage: int) -> None:
        super().__init__()
        channels, width = sizes.channels[stage], sizes.mlp_widths[stage]
        self.layernorm_before = TokenNorm(channels)
        self.attention = nn.Module()
        self.attention.attention = SelfAttention(channels, sizes.heads[stage], sizes.reductions[stage])
        self.attention.output = DenseUnit(channels, channels, sizes.affine)
        self.layernorm_after = TokenNorm(channels)
        self.intermediate = DenseUnit(channels, width, False)
        self.output = DenseUnit(width, channels, sizes.affine)
        self.branches = sizes.pool_branches
        if self.branches:
            for name in self._BRANCHES:
                setattr(self, f"layerscale_{name}", LayerScale(channels, 0.0))

    def forward(self, x: Tensor) -> Tensor:
        y = x + self.attention.output(self.attention.attention(self.layernorm_before(x)))
        h2 = self.layernorm_after(y)
        out = y + self.output(self.intermediate(h2))
        if self.branches:
            for name, window in self._BRANCHES.items():
                pad = (window[0] // 2, window[1] // 2)
                pooled = F.avg_pool2d(to_grid(h2), window, stride=1, padding=pad, count_include_pad=True)
                out = out + getattr(self, f"layerscale_{name}")(to_tokens(pooled))
        return out


class PatchEmbed(nn.Module):
    """Between stages: binary 2 x 2 convolution with a pooled shortcut, or a full-precision one ("some-fp")."""

    def __init__(self, sizes: PlainSizes, stage: int, tokens: int) -> None:
        super().__init__()
        inputs, outputs = sizes.channels[stage - 1], sizes.channels[stage]
        self.norm0 = TokenNorm(inputs)
        self.binary = not sizes.some_fp
        if self.binary:
            self.move = nn.Parameter(torch.zeros(1, inputs, 1, 1))
            self.proj: nn.Module = BinaryConv(inputs, outputs)
            self.rprelu = RPReLU(outputs)
        else:
            self.proj = nn.Conv2d(inputs, outputs, 2, stride=2, bias=False)
        self.norm = TokenNorm(outputs)
        self.position_embeddings = nn.Parameter(0.02 * torch.randn(1, tokens, outputs))

    def forward(self, x: Tensor) -> Tensor:
        h = to_grid(self.norm0(x))
        if not self.binary:
            return self.norm(to_tokens(self.proj(h))) + self.position_embeddings
        short = to_tokens(F.avg_pool2d(h, 2))
        out = self.norm(to_tokens(self.proj(sign(h + self.move))))
        short = torch.cat([short] * (out.shape[-1] // short.shape[-1]), dim=-1)
        return self.rprelu(out + short) + self.position_embeddings


class PlainBinaryViT(nn.Module):
    """Normalized images B x in_channels x H x W to logits B x classes."""

    def __init__(self, sizes: PlainSizes) -> None:
        super().__init__()
        self.sizes = sizes
        side, channels = sizes.image_size // sizes.patch_size, sizes.channels[0]
        embeddings = nn.Module()
        if sizes.class_token:
            embeddings.cls_token = nn.Parameter(0.02 * torch.randn(1, 1, channels))
        tokens = side * side + sizes.class_token
        embeddings.position_embeddings = nn.Parameter(0.02 * torch.randn(1, tokens, channels))
        embeddings.patch_embeddings = nn.Module()
        embeddings.patch_embeddings.projection = nn.Conv2d(
            sizes.in_channels, channels, sizes.patch_size, stride=sizes.patch_size
        )
        if sizes.stem_norm:
            embeddings.norm = TokenNorm(channels)
        encoder = nn.Module()
        encoder.layer = nn.ModuleList(
            Layer(sizes, stage) for stage, depth in enumerate(sizes.depths) for _ in range(depth)
        )
        for stage in range(1, len(sizes.channels)):
            setattr(encoder, f"patch_embed{stage}", PatchEmbed(sizes, stage, (side >> stage) ** 2))
        self.vit = nn.Module()
        self.vit.embeddings, self.vit.encoder = embeddings, encoder
        self.vit.layernorm = TokenNorm(sizes.channels[-1])
        self.classifier = nn.Linear(sizes.channels[-1], sizes.classes)

    def blocks(self, images: Tensor) -> list[Tensor]:
        """The output of every block (B x N x C), in order."""
        embeddings, encoder = self.vit.embeddings, self.vit.encoder
        x = to_tokens(embeddings.patch_embeddings.projection(images))
        if self.sizes.stem_norm:
            x = embeddings.norm(x)
        if self.sizes.class_token:
            x = torch.cat([embeddings.cls_token.expand(len(x), -1, -1), x], dim=1)
        x = x + embeddings.position_embeddings
        outputs: list[Tensor] = []
        for stage, depth in enumerate(self.sizes.depths):
            if stage:
                x = getattr(encoder, f"patch_embed{stage}")(x)
            for _ in range(depth):
                x = encoder.layer[len(outputs)](x)
                outputs.append(x)
        return outputs

    def head(self, x: Tensor) -> Tensor:
        """The last block's output to logits."""
        x = self.vit.layernorm(x)
        return self.classifier(x[:, 0] if self.sizes.class_token else x.mean(dim=1))

    def forward(self, images: Tensor) -> Tensor:
        return self.head(self.blocks(images)[-1])
