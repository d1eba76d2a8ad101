"""The parts of BinaryViT: stem, block with attention, MLP and pool branches, transition between stages, head.

Each has a ``forward`` and, beside it, a ``freeze``: the same steps as nodes of docs/contract.md, through a builder.

Token tensors are B x N x C with the tokens in raster order. Quantizers carry the tensor names of docs/contract.md.
"""

from __future__ import annotations

import math
from typing import cast

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.contract import FrozenTensor
from bvit_hw.contract.attention_rule import TABLE_SHIFT, score_table, threshold_integer
from bvit_hw.contract.builder import Builder
from bvit_hw.contract.fixed_point import FloatArray, RealAffine
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.models import cpu_steps
from bvit_hw.models.binary import bit_probability
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.elementwise import pool_affines
from bvit_hw.models.fusing import fuses
from bvit_hw.models.grid import gather_patches, pool_grid, upsample_grid
from bvit_hw.models.layers import (
    Affine,
    BinaryUnit,
    ChannelNorm,
    PatchLinear,
    RPReLU,
    Unscaled,
    binary_or_real,
    double,
    placed,
)
from bvit_hw.models.quant import ActQuant, WeightQuant


def _pooled_grid(x: Tensor, side: int, window: int) -> Tensor:
    return cpu_steps.pool_grid(x, side, window) if cpu_steps.active(x) else pool_grid(x, side, window)


class Stem(nn.Module):
    """Patch convolution, norm, class token where the variant has one, position embedding.

    Normalized images B x in_channels x H x W in, tokens B x N x C out.
    """

    def __init__(self, config: BinaryViTConfig) -> None:
        super().__init__()
        channels, patch = config.channels[0], config.patch_size
        self.patch, self.mean = patch, config.mean
        pixel_scale = 1.0 / (255.0 * torch.tensor(config.std)).repeat(patch * patch)
        cols = patch * patch * config.in_channels
        self.conv = PatchLinear(
            cols, channels, config.weight_bits, bias=True, norm=config.stem_norm, column_scale=pixel_scale
        )
        self.class_token = nn.Parameter(torch.zeros(1, 1, channels)) if config.class_token else None
        self.position = nn.Parameter(torch.empty(config.tokens(0), channels))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.quant_x = ActQuant(config.residual_bits)

    def forward(self, images: Tensor) -> Tensor:
        batch, _, side, _ = images.shape
        pixels = images.permute(0, 2, 3, 1).reshape(batch, side * side, -1)
        x = self.conv(gather_patches(pixels, side, self.patch))
        if self.class_token is not None:
            x = torch.cat((self.class_token.expand(batch, -1, -1), x), dim=1)
        return self.quant_x(placed(x, self.position))

    def freeze(self, b: Builder, pixels: FrozenTensor) -> FrozenTensor:
        """The tokens as nodes of the contract."""
        acc = self.conv.freeze(b, "acc", b.patch_gather("patch", pixels, self.patch))
        if self.class_token is None:
            return b.offset("x", acc, self.quant_x, self._offset)
        # The grid of patches is rounded like the tokens that it becomes a part of.
        return b.prepend_token("x", b.offset("grid", acc, self.quant_x, self._offset), self._token)

    def _offset(self) -> RealAffine:
        """What remains beside the integer weights: normalization's mean, conv bias, norm, position."""
        weights, exponent = self.conv.quant_weight.integers(self.conv.folded_weight())
        mean = np.tile(np.array(self.mean), self.patch**2)
        constant = -(weights * 2.0**exponent) @ (255.0 * mean)
        bias = np.zeros(len(weights)) if self.conv.bias is None else double(self.conv.bias)
        if self.conv.norm is not None:
            scale, shift = self.conv.norm.real()
            bias = bias * scale + shift
        position = double(self.position)[0 if self.class_token is None else 1 :]
        return RealAffine(factors=(1.0,), bias=constant + bias + position)

    def _token(self) -> FloatArray:
        """The class token with its position."""
        assert self.class_token is not None
        return double(self.class_token)[0, 0] + double(self.position)[0]


#: smallest clip value that attention uses
CLIP_MIN = 1e-5


class Attention(nn.Module):
    """Binary attention up to and including the output projection: norm_before's output h in, o out.

    ``r`` (only with key/value pooling), ``q``, ``k``, ``v`` and ``o`` are binary units; ``clip`` is the paper's t.
    """

    def __init__(self, config: BinaryViTConfig, stage: int) -> None:
        super().__init__()
        channels, bits = config.channels[stage], config.act_bits
        self.heads = config.heads[stage]
        self.head_dim = config.head_dim(stage)
        self.side = config.side(stage)
        self.reduction = config.reductions[stage]
        self.full_precision = config.full_precision
        _, self.inputs = binary_or_real(self.full_precision)

        def unit() -> BinaryUnit:
            return BinaryUnit(channels, channels, bits, full_precision=self.full_precision)

        self.r = unit() if self.reduction > 1 else None
        self.q, self.k, self.v = unit(), unit(), unit()
        self.move_q = nn.Parameter(torch.zeros(channels))
        self.move_k = nn.Parameter(torch.zeros(channels))
        self.move_v = nn.Parameter(torch.zeros(channels))
        # Half the threshold at a uniform row would be t = 2 / M; a little below it, such a row attends to everything.
        keys = config.tokens(stage) // self.reduction**2
        self.clip = nn.Parameter(torch.tensor(min(1.0, 1.5 / keys)))
        self.norm_ctx = ChannelNorm(channels)
        self.rprelu_ctx = RPReLU(channels)
        self.quant_ctx = ActQuant(bits)
        self.o = unit()
        self.table_bits = config.table_bits
        table = torch.from_numpy(score_table(self.head_dim, config.table_bits))
        self.register_buffer("table", table, persistent=False)

    def _split(self, x: Tensor) -> Tensor:
        """B x N x C to B x heads x N x head_dim."""
        return x.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)

    def _probabilities(self, score: Tensor) -> Tensor:
        """{0, t} attention from the +-1 dot products of all rows (last axis: keys); in full precision the softmax."""
        if self.full_precision:
            return F.softmax(score / math.sqrt(self.head_dim), dim=-1)
        clip = self.clip.clamp(min=CLIP_MIN)
        if self.training or self.quant_ctx.mode != "quant":
            return bit_probability(F.softmax(score / math.sqrt(self.head_dim), dim=-1), clip)
        entries = self.table[(score.long() + self.head_dim) >> 1]
        threshold = threshold_integer(clip.item())
        attended = (entries << TABLE_SHIFT) > threshold * entries.sum(dim=-1, keepdim=True)
        return attended.to(score.dtype) * clip

    def forward(self, h: Tensor) -> Tensor:
        g = h
        if self.r is not None:
            pooled = _pooled_grid(h, self.side, self.reduction)
            g = self.r(pooled)
        q, k, v = self.q(h), self.k(g), self.v(g)
        query, key, value = (
            self._split(self.inputs(x, move)) for x, move in ((q, self.move_q), (k, self.move_k), (v, self.move_v))
        )
        context = self._probabilities(query @ key.transpose(-1, -2)) @ value
        return self.o(self._activated(context.transpose(1, 2).flatten(2), q, k, v))

    def _activated(self, context: Tensor, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attended values' norm, the three shortcuts, RPReLU, quantized."""
        if self.norm_ctx.has_steps(context):
            shortcut = cpu_steps.upsampled_onto(q, k, v, self.reduction)
            return cpu_steps.rprelu_of_norm(self.norm_ctx, self.rprelu_ctx, context, shortcut, self.quant_ctx)
        total = self.norm_ctx(context) + q
        if self.r is None:
            out = self.rprelu_ctx.of_sum(total + k, v)
        else:
            out = self.rprelu_ctx.of_sum(total, upsample_grid(k + v, self.side // self.reduction, self.reduction))
        return self.quant_ctx(out)

    def quantizers(self) -> dict[str, ActQuant]:
        """By the name that :meth:`freeze` gives the tensor."""
        pooled = {} if self.r is None else {"g": self.r.quant}
        rest = {"ctx": self.quant_ctx, "o": self.o.quant}
        return {"q": self.q.quant, "k": self.k.quant, "v": self.v.quant, **pooled, **rest}

    def freeze(self, b: Builder, h: FrozenTensor) -> FrozenTensor:
        """o as nodes of the contract."""
        q, g = self.q.freeze(b, ("hq", "q_acc", "q"), h, h), h
        if self.r is not None:
            pooled = b.spatial_pool("r_sum", h, self.reduction, self.reduction)
            g = self.r.freeze(b, ("r_bit", "r_acc", "g"), pooled, pooled)
        k, v = self.k.freeze(b, ("gk", "k_acc", "k"), g, g), self.v.freeze(b, ("gv", "v_acc", "v"), g, g)
        query = b.binarize("q_bit", q, lambda: double(self.move_q))
        key = b.binarize("k_bit", k, lambda: double(self.move_k))
        value = b.binarize("v_bit", v, lambda: double(self.move_v))
        context = b.attention("att", query, key, value, self.heads, self.table_bits, self._clip)
        if self.r is not None:
            k, v = b.upsample("k_up", k, self.reduction), b.upsample("v_up", v, self.reduction)
        context = b.rprelu("ctx", (context, q, k, v), self.quant_ctx, self._context)
        return self.o.freeze(b, ("ctx_bit", "o_acc", "o"), context, context)

    def _clip(self) -> float:
        return max(float(self.clip.detach()), CLIP_MIN)

    def _context(self) -> RealAffine:
        """norm_ctx and rprelu_ctx of t times what attention's integers count, and of the three shortcuts."""
        scale = np.full(self.rprelu_ctx.slope.shape, self._clip())
        return self.rprelu_ctx.real(self.norm_ctx, scale, shortcuts=3)


class PoolBranches(nn.Module):
    """Sum of the four average pools' affines; windows zero padded and always divided by 3 or 5."""

    def __init__(self, channels: int, side: int, bits: int) -> None:
        super().__init__()
        self.side = side
        for name in WINDOWS:
            self.add_module(name, Affine(channels, 0.0))
        self.quant_p = ActQuant(bits)

    def forward(self, h2: Tensor) -> Tensor:
        if fuses() or cpu_steps.active(h2):
            branches = [cast(Affine, self.get_submodule(name)) for name in WINDOWS]
            alphas, move = torch.stack([b.alpha for b in branches]), sum(b.move for b in branches)
            if cpu_steps.active(h2):
                return cpu_steps.pool_affines(h2, alphas, move, self.side, self.quant_p)
            grid = h2.unflatten(1, (self.side, self.side))
            return self.quant_p(pool_affines(grid, alphas, move).flatten(1, 2))
        # Channels last in memory, as avg_pool2d handles without a copy.
        grid = h2.unflatten(1, (self.side, self.side)).permute(0, 3, 1, 2)
        total = None
        for name, (rows, cols) in WINDOWS.items():
            pooled = F.avg_pool2d(grid, (rows, cols), stride=1, padding=(rows // 2, cols // 2))
            branch = self.get_submodule(name)(pooled.permute(0, 2, 3, 1).flatten(1, 2))
            total = branch if total is None else total + branch
        return self.quant_p(total)

    def freeze(self, b: Builder, h2: FrozenTensor) -> FrozenTensor:
        """p as a node of the contract."""
        return b.multi_pool("p", h2, self.quant_p, self._real)

    def _real(self) -> tuple[FloatArray, FloatArray]:
        """Alphas (4 x C) and the sum of the moves (C)."""
        branches = [cast(Affine, self.get_submodule(name)) for name in WINDOWS]
        alphas = np.stack([double(branch.alpha) for branch in branches])
        return alphas, np.stack([double(branch.move) for branch in branches]).sum(axis=0)


class Block(nn.Module):
    """One transformer block, residual stream x to x' (B x N x C both)."""

    def __init__(self, config: BinaryViTConfig, stage: int) -> None:
        super().__init__()
        channels, width, bits = config.channels[stage], config.mlp_widths[stage], config.act_bits
        self.expansion = width // channels
        self.norm_before = ChannelNorm(channels)
        self.quant_h = ActQuant(bits)
        self.attn = Attention(config, stage)
        self.affine_1 = Affine(channels, 0.1) if config.affine else Unscaled()
        self.quant_y = ActQuant(config.residual_bits)
        self.norm_after = ChannelNorm(channels)
        self.quant_h2 = ActQuant(bits)
        self.f = BinaryUnit(channels, width, bits, full_precision=config.full_precision)
        self.z = BinaryUnit(width, channels, bits, full_precision=config.full_precision)
        self.affine_2 = Affine(channels, 0.1) if config.affine else Unscaled()
        self.pools = PoolBranches(channels, config.side(stage), bits) if config.pool_branches else None
        self.quant_x = ActQuant(config.residual_bits)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm_before.quantized(x, self.quant_h)
        y = self.affine_1.onto(x, self.attn(h), None, self.quant_y)
        h2 = self.norm_after.quantized(y, self.quant_h2)
        z = self.z(self.f(h2), group=self.expansion)
        return self.affine_2.onto(y, z, None if self.pools is None else self.pools(h2), self.quant_x)

    def quantizers(self) -> dict[str, ActQuant]:
        """By the name that :meth:`freeze` gives the tensor."""
        last = {} if self.pools is None else {"p": self.pools.quant_p}
        return {
            "h": self.quant_h, **self.attn.quantizers(), "y": self.quant_y, "h2": self.quant_h2,
            "f": self.f.quant, "z": self.z.quant, "x": self.quant_x, **last,
        }  # fmt: skip

    def freeze(self, b: Builder, x: FrozenTensor) -> FrozenTensor:
        """x' as nodes of the contract."""
        h = self.norm_before.freeze(b, "h", x, self.quant_h)
        y = self.affine_1.freeze(b, "y", self.attn.freeze(b, h), x, quant=self.quant_y)
        h2 = self.norm_after.freeze(b, "h2", y, self.quant_h2)
        f = self.f.freeze_product(b, "h2_bit", "f_acc", h2)
        f = self.f.freeze_sum(b, "f", f, b.channel_repeat("h2_rep", h2, self.expansion))
        z = self.z.freeze_product(b, "f_bit", "z_acc", f)
        z = self.z.freeze_sum(b, "z", z, b.channel_pool("f_pool", f, self.expansion))
        others = [y] if self.pools is None else [y, self.pools.freeze(b, h2)]
        return self.affine_2.freeze(b, "x", z, *others, quant=self.quant_x)


class Merge(nn.Module):
    """Binary transition between stages: side s to s/2, C to C' channels, with a pooled shortcut."""

    def __init__(self, config: BinaryViTConfig, stage: int) -> None:
        super().__init__()
        cin, cout = config.channels[stage - 1], config.channels[stage]
        self.side, self.copies = config.side(stage - 1), cout // cin
        self.norm_0 = ChannelNorm(cin)
        self.quant_h = ActQuant(config.act_bits)
        self.move = nn.Parameter(torch.zeros(cin))
        linear, self.inputs = binary_or_real(config.full_precision)
        self.linear = linear(4 * cin, cout, centred=False)
        self.norm = ChannelNorm(cout)
        self.rprelu = RPReLU(cout)
        self.position = nn.Parameter(torch.empty(config.tokens(stage), cout))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.quant_x = ActQuant(config.residual_bits)

    def forward(self, x: Tensor) -> Tensor:
        h = self.norm_0.quantized(x, self.quant_h)
        shortcut = _pooled_grid(h, self.side, 2)
        if cpu_steps.serves(self.linear) and self.norm.has_steps(h):
            parts = self.move, self.linear, self.norm, self.rprelu
            out = cpu_steps.binary_unit(h, shortcut, *parts, window=2, side=self.side)
        else:
            out = self.linear(gather_patches(self.inputs(h, self.move), self.side, 2))
            out = self.rprelu.of_norm(self.norm, out, shortcut)
        return self.quant_x(placed(out, self.position))

    def freeze(self, b: Builder, x: FrozenTensor) -> FrozenTensor:
        """The next stage's tokens as nodes of the contract."""
        h = self.norm_0.freeze(b, "h", x, self.quant_h)
        patch = b.patch_gather("patch", b.binarize("h_bit", h, lambda: double(self.move)), 2)
        acc = self.linear.freeze(b, "acc", patch)
        short = b.channel_repeat("short", b.spatial_pool("short_sum", h, 2, 2), self.copies)
        return b.rprelu("x", (acc, short), self.quant_x, self._real, placed=True)

    def _real(self) -> RealAffine:
        return self.rprelu.real(self.norm, self.linear.row_scale(), position=double(self.position))


class FullPrecisionMerge(nn.Module):
    """The "some-fp" transition: norm of a full-precision 2x2 convolution without bias, position embedding."""

    def __init__(self, config: BinaryViTConfig, stage: int) -> None:
        super().__init__()
        cin, cout = config.channels[stage - 1], config.channels[stage]
        self.side = config.side(stage - 1)
        self.norm_0 = ChannelNorm(cin)
        self.quant_h = ActQuant(config.act_bits)
        self.conv = PatchLinear(4 * cin, cout, config.weight_bits, bias=False, norm=True)
        self.position = nn.Parameter(torch.empty(config.tokens(stage), cout))
        nn.init.trunc_normal_(self.position, std=0.02)
        self.quant_x = ActQuant(config.residual_bits)

    def forward(self, x: Tensor) -> Tensor:
        h = self.quant_h(self.norm_0(x))
        return self.quant_x(self.conv(gather_patches(h, self.side, 2)) + self.position)

    def freeze(self, b: Builder, x: FrozenTensor) -> FrozenTensor:
        """The next stage's tokens as nodes of the contract."""
        h = self.norm_0.freeze(b, "h", x, self.quant_h)
        acc = self.conv.freeze(b, "acc", b.patch_gather("patch", h, 2))
        return b.offset("x", acc, self.quant_x, self._real)

    def _real(self) -> RealAffine:
        assert self.conv.norm is not None
        return RealAffine(factors=(1.0,), bias=self.conv.norm.real()[1] + double(self.position))


class Head(nn.Module):
    """Norm, mean over tokens (or the class token), linear classifier; tokens in, logits B x classes out."""

    def __init__(self, config: BinaryViTConfig) -> None:
        super().__init__()
        channels = config.channels[-1]
        self.class_token = config.class_token
        self.norm = ChannelNorm(channels)
        self.quant_f = ActQuant(config.act_bits)
        self.classifier = nn.Linear(channels, config.classes)
        nn.init.trunc_normal_(self.classifier.weight, std=0.02)
        nn.init.zeros_(self.classifier.bias)
        self.quant_weight = WeightQuant(config.weight_bits)

    def forward(self, x: Tensor) -> Tensor:
        x = self.norm(x)
        x = self.quant_f(x[:, 0] if self.class_token else x.mean(dim=1))
        return F.linear(x, self.quant_weight(self.classifier.weight), self.classifier.bias)

    def freeze(self, b: Builder, x: FrozenTensor) -> FrozenTensor:
        """The logits without their bias as nodes of the contract; :meth:`bias` comes on top."""
        if self.class_token:
            x = b.first_token("token", x)
        elif x.height * x.width > 1:
            x = b.spatial_pool("sum", x, x.height, x.width)
        f = self.norm.freeze(b, "f", x, self.quant_f)
        weight = self.classifier.weight.detach()
        return b.int_linear("acc", f, len(weight), self.quant_weight.bits, lambda: self.quant_weight.integers(weight))

    def bias(self) -> RealAffine:
        """The classifier's bias."""
        return RealAffine(factors=(1.0,), bias=double(self.classifier.bias)[None])
