"""Freezing: a trained and calibrated BinaryViT becomes a FrozenGraph; floating point ends here."""

from __future__ import annotations

from typing import cast

import numpy as np
import torch
from torch import Tensor, nn

from bvit_hw.contract import FrozenGraph, FrozenTensor
from bvit_hw.contract.fixed_point import FloatArray, RealAffine
from bvit_hw.contract.operators.multi_pool import WINDOWS
from bvit_hw.errors import FreezeError
from bvit_hw.freeze.builder import build_graph
from bvit_hw.models.binaryvit import BinaryViT
from bvit_hw.models.blocks import Block, FullPrecisionMerge, Merge
from bvit_hw.models.layers import Affine, BinaryLinear, BinaryUnit, ChannelNorm, PatchLinear, RPReLU
from bvit_hw.models.quant import WeightQuant

#: smallest clip value that the model's attention uses
_CLIP_MIN = 1e-5


def _array(x: Tensor) -> FloatArray:
    return x.detach().to("cpu", torch.float64).numpy()


def _norm(norm: ChannelNorm) -> tuple[FloatArray, FloatArray]:
    """Scale and shift (C) of a norm in eval mode, in double precision."""
    scale = _array(norm.weight) / np.sqrt(_array(cast(Tensor, norm.running_var)) + norm.eps)
    return scale, _array(norm.bias) - _array(cast(Tensor, norm.running_mean)) * scale


def _mean_of(norm: ChannelNorm, scale: FloatArray | None = None) -> FloatArray:
    """Mean of x where ``norm`` is applied to scale * x; 0 where the scale says nothing about x."""
    mean = _array(cast(Tensor, norm.running_mean))
    return mean if scale is None else np.divide(mean, scale, out=np.zeros_like(mean), where=np.abs(scale) > 1e-12)


def _quantized(quantizer: WeightQuant, weight: Tensor) -> tuple[np.ndarray, int]:
    """Integers and exponent that ``quantizer`` gives ``weight``."""
    quantizer.fit(weight)
    return quantizer.to_int(weight).cpu().numpy(), quantizer.exponent


def _rprelu_affine(
    norm: ChannelNorm, scale: FloatArray, shortcuts: int, rprelu: RPReLU, position: FloatArray | None = None
) -> RealAffine:
    """rprelu(norm(scale * first input) + shortcuts), then a position embedding (tokens x C) where there is one."""
    norm_scale, shift = _norm(norm)
    move_2 = _array(rprelu.move_2)[None]
    return RealAffine(
        factors=(scale * norm_scale, *(1.0 for _ in range(shortcuts))),
        bias=(shift - _array(rprelu.move_1))[None],
        slope=_array(rprelu.slope),
        bias2=move_2 if position is None else move_2 + position,
        centre=_mean_of(norm, scale),
    )


class _ModelSource:
    """The numbers of a model by the names of docs/contract.md (a Source of the builder)."""

    def __init__(self, model: BinaryViT) -> None:
        self.model = model
        self.quantizers = model.act_quantizers()

    def _block(self, tensor: str) -> tuple[Block, str]:
        prefix, _, part = tensor.partition(".")
        return cast(Block, self.model.blocks[int(prefix[1:])]), part

    def _merge(self, tensor: str) -> tuple[Merge | FullPrecisionMerge, str]:
        prefix, _, part = tensor.partition(".")
        return cast("Merge | FullPrecisionMerge", self.model.merges[int(prefix[1:]) - 1]), part

    def _unit(self, tensor: str) -> BinaryUnit | None:
        """The binary unit whose bits, accumulator or output ``tensor`` is."""
        block, part = self._block(tensor)
        attn = block.attn
        units = {
            attn.q: ("hq", "q_acc", "q"),
            attn.k: ("gk", "k_acc", "k"),
            attn.v: ("gv", "v_acc", "v"),
            attn.o: ("ctx_bit", "o_acc", "o"),
            block.f: ("h2_bit", "f_acc", "f"),
            block.z: ("f_bit", "z_acc", "z"),
        }
        if attn.r is not None:
            units[attn.r] = ("r_bit", "r_acc", "g")
        return next((unit for unit, names in units.items() if part in names), None)

    def exponent(self, tensor: str) -> int:
        # With a class token the grid of patches is rounded like the tokens that it becomes a part of.
        return self.quantizers["stem.x" if tensor == "stem.grid" else tensor].exponent

    def move(self, tensor: str, channels: int) -> FloatArray:
        if tensor.startswith("t"):
            return _array(cast(Merge, self._merge(tensor)[0]).move)
        unit = self._unit(tensor)
        if unit is not None:
            return _array(unit.move)
        block, part = self._block(tensor)
        return _array({"q_bit": block.attn.move_q, "k_bit": block.attn.move_k, "v_bit": block.attn.move_v}[part])

    def _binary_linear(self, tensor: str) -> BinaryLinear:
        if tensor.startswith("t"):
            return cast(Merge, self._merge(tensor)[0]).linear
        unit = self._unit(tensor)
        assert unit is not None, tensor
        return unit.linear

    def binary_weights(self, tensor: str, rows: int, cols: int) -> np.ndarray:
        return self._binary_linear(tensor).binary()[0].cpu().numpy()

    def _patch_linear(self, tensor: str) -> PatchLinear:
        if tensor.startswith("t"):
            return cast(FullPrecisionMerge, self._merge(tensor)[0]).conv
        return self.model.stem.conv

    def int_weights(self, tensor: str, rows: int, cols: int) -> tuple[np.ndarray, int]:
        if tensor == "head.acc":
            head = self.model.head
            weights, exponent = _quantized(head.quant_weight, head.classifier.weight.detach())
            return weights, exponent + self.exponent("head.f")
        layer = self._patch_linear(tensor)
        weights, exponent = _quantized(layer.quant_weight, layer.folded_weight())
        return weights, exponent + (self.exponent(f"{tensor.partition('.')[0]}.h") if tensor.startswith("t") else 0)

    def _stem(self) -> RealAffine:
        """What remains beside the integer weights: normalization's mean, conv bias, norm, position."""
        stem, config = self.model.stem, self.model.config
        weights, exponent = self.int_weights("stem.acc", 0, 0)
        mean = np.tile(np.array(config.mean), config.patch_size**2)
        constant = -(weights * 2.0**exponent) @ (255.0 * mean)
        bias = np.zeros(len(weights)) if stem.conv.bias is None else _array(stem.conv.bias)
        if stem.conv.norm is not None:
            scale, shift = _norm(stem.conv.norm)
            bias = bias * scale + shift
        position = _array(stem.position)[1 if config.class_token else 0 :]
        return RealAffine(factors=(1.0,), bias=constant + bias + position)

    def token(self, tensor: str, channels: int) -> FloatArray:
        stem = self.model.stem
        assert stem.class_token is not None, tensor
        return _array(stem.class_token)[0, 0] + _array(stem.position)[0]

    def _transition(self, tensor: str) -> RealAffine:
        merge, part = self._merge(tensor)
        if part == "h":
            return self._normed(merge.norm_0)
        position = _array(merge.position)
        if isinstance(merge, FullPrecisionMerge):
            assert merge.conv.norm is not None
            return RealAffine(factors=(1.0,), bias=_norm(merge.conv.norm)[1] + position)
        return _rprelu_affine(merge.norm, _array(merge.linear.binary()[1]), 1, merge.rprelu, position)

    @staticmethod
    def _normed(norm: ChannelNorm) -> RealAffine:
        scale, shift = _norm(norm)
        return RealAffine(factors=(scale,), bias=shift[None], centre=_mean_of(norm))

    @staticmethod
    def _residual(affine: nn.Module, inputs: int, channels: int) -> RealAffine:
        """alpha * first input + move, plus the other inputs as they are."""
        others = (1.0,) * (inputs - 1)
        if isinstance(affine, Affine):
            return RealAffine(factors=(_array(affine.alpha), *others), bias=_array(affine.move)[None])
        return RealAffine(factors=(1.0, *others), bias=np.zeros((1, channels)))

    def affine(self, tensor: str, inputs: tuple[FrozenTensor, ...], tokens: int, channels: int) -> RealAffine:
        if tensor in ("stem.x", "stem.grid"):
            return self._stem()
        if tensor == "head.f":
            return self._normed(self.model.head.norm)
        if tensor == "logits":
            return RealAffine(factors=(1.0,), bias=_array(self.model.head.classifier.bias)[None])
        if tensor.startswith("t"):
            return self._transition(tensor)
        unit = self._unit(tensor)
        if unit is not None:
            return _rprelu_affine(unit.norm, _array(unit.linear.binary()[1]), 1, unit.rprelu)
        block, part = self._block(tensor)
        match part:
            case "h":
                return self._normed(block.norm_before)
            case "h2":
                return self._normed(block.norm_after)
            case "ctx":
                scale = np.full(channels, self.clip(tensor))
                return _rprelu_affine(block.attn.norm_ctx, scale, len(inputs) - 1, block.attn.rprelu_ctx)
            case "y":
                return self._residual(block.affine_1, len(inputs), channels)
            case "x":
                return self._residual(block.affine_2, len(inputs), channels)
        raise FreezeError(f"{tensor}: the model has nothing of this name")

    def pools(self, tensor: str, channels: int) -> tuple[FloatArray, FloatArray]:
        pools = self._block(tensor)[0].pools
        assert pools is not None, tensor
        branches = [cast(Affine, pools.get_submodule(name)) for name in WINDOWS]
        alphas = np.stack([_array(branch.alpha) for branch in branches])
        return alphas, np.stack([_array(branch.move) for branch in branches]).sum(axis=0)

    def clip(self, tensor: str) -> float:
        return max(float(self._block(tensor)[0].attn.clip.detach()), _CLIP_MIN)


def freeze(model: BinaryViT, *, coef_bits: int = 8, slope_bits: int = 8) -> FrozenGraph:
    """The integers that ``model`` computes in eval mode, as a graph proven exact.

    Per-channel factors become mantissas of ``coef_bits``, slopes of ``slope_bits``. Raises :class:`FreezeError` for a
    model without exponents, or with numbers that do not fit the contract (names tensor and bound).
    """
    if not bool(model.calibrated):
        raise FreezeError(
            "the model has no activation exponents: call calibrate() with images, or load a QAT checkpoint"
        )
    return build_graph(model.config, _ModelSource(model), coef_bits=coef_bits, slope_bits=slope_bits)
