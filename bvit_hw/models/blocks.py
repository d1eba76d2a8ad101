"""The parts of BinaryViT: stem, block with attention, MLP and pool branches, transition between stages, head.

Token tensors are B x N x C with the tokens in raster order. Quantizers carry the tensor names of docs/contract.md.
"""

from __future__ import annotations

import math
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.contract.attention_rule import TABLE_SHIFT, score_table, threshold_integer
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.elementwise import fuses, pool_affines
from bvit_hw.models.layers import (
    Affine,
    BinaryUnit,
    ChannelNorm,
    PatchLinear,
    RPReLU,
    Unscaled,
    binary_or_real,
    bit_probability,
    gather_patches,
    placed,
    pool_channels,
    pool_grid,
    repeat_channels,
    upsample_grid,
)
from bvit_hw.models.quant import ActQuant, WeightQuant


class Stem(nn.Module):
    """Patch convolution, norm, class token where the variant has one, position embedding.

    Normalized images B x in_channels x H x W in, tokens B x N x C out.
    """

    def __init__(self, config: BinaryViTConfig) -> None:
        super().__init__()
        channels, patch = config.channels[0], config.patch_size
        self.patch = patch
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
        table = torch.from_numpy(score_table(self.head_dim, config.table_bits))
        self.register_buffer("table", table, persistent=False)

    def _split(self, x: Tensor) -> Tensor:
        """B x N x C to B x heads x N x head_dim."""
        return x.unflatten(-1, (self.heads, self.head_dim)).transpose(1, 2)

    def _probabilities(self, score: Tensor) -> Tensor:
        """{0, t} attention from the +-1 dot products of all rows (last axis: keys); in full precision the softmax."""
        if self.full_precision:
            return F.softmax(score / math.sqrt(self.head_dim), dim=-1)
        clip = self.clip.clamp(min=1e-5)
        if self.training or self.quant_ctx.mode != "quant":
            return bit_probability(F.softmax(score / math.sqrt(self.head_dim), dim=-1), clip)
        entries = self.table[(score.long() + self.head_dim) >> 1]
        threshold = threshold_integer(clip.item())
        attended = (entries << TABLE_SHIFT) > threshold * entries.sum(dim=-1, keepdim=True)
        return attended.to(score.dtype) * clip

    def forward(self, h: Tensor) -> Tensor:
        g = h
        if self.r is not None:
            pooled = pool_grid(h, self.side, self.reduction)
            g = self.r(pooled, pooled)
        q, k, v = self.q(h, h), self.k(g, g), self.v(g, g)
        query, key, value = (
            self._split(self.inputs(x, move)) for x, move in ((q, self.move_q), (k, self.move_k), (v, self.move_v))
        )
        context = self._probabilities(query @ key.transpose(-1, -2)) @ value
        context = self.norm_ctx(context.transpose(1, 2).flatten(2)) + q
        if self.r is None:
            context, last = context + k, v
        else:
            last = upsample_grid(k + v, self.side // self.reduction, self.reduction)
        context = self.quant_ctx(self.rprelu_ctx.of_sum(context, last))
        return self.o(context, context)


class PoolBranches(nn.Module):
    """Sum of the four average pools' affines; windows zero padded and always divided by 3 or 5."""

    def __init__(self, channels: int, side: int, bits: int) -> None:
        super().__init__()
        self.side = side
        for name in WINDOWS:
            self.add_module(name, Affine(channels, 0.0))
        self.quant_p = ActQuant(bits)

    def forward(self, h2: Tensor) -> Tensor:
        if fuses():
            branches = [cast(Affine, self.get_submodule(name)) for name in WINDOWS]
            alphas, move = torch.stack([b.alpha for b in branches]), sum(b.move for b in branches)
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
        h = self.quant_h(self.norm_before(x))
        y = self.quant_y(self.affine_1.onto(x, self.attn(h)))
        h2 = self.quant_h2(self.norm_after(y))
        f = self.f(h2, repeat_channels(h2, self.expansion))
        out = self.affine_2.onto(y, self.z(f, pool_channels(f, self.expansion)))
        if self.pools is not None:
            out = out + self.pools(h2)
        return self.quant_x(out)


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
        h = self.quant_h(self.norm_0(x))
        short = repeat_channels(pool_grid(h, self.side, 2), self.copies)
        x = self.norm(self.linear(gather_patches(self.inputs(h, self.move), self.side, 2)))
        return self.quant_x(placed(self.rprelu.of_sum(x, short), self.position))


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
