"""BinaryViT (Le & Li, arXiv 2306.16678) and the other rows of its ablation, as one configurable network.

Module tree (freezing and checkpoints rely on these names; every quantizer has ``exponent`` and ``bits``)::

    stem.conv            PatchLinear: weight, bias, norm, quant_weight
    stem.class_token, stem.position, stem.quant_x
    blocks.<i>           global index; stage by config.block_stages[i]
      .norm_before .quant_h
      .attn.r|q|k|v|o    BinaryUnit: move, linear.weight, norm, rprelu, quant         (r only with pooling)
      .attn.move_q|move_k|move_v  .attn.clip  .attn.norm_ctx .attn.rprelu_ctx .attn.quant_ctx
      .affine_1 .quant_y .norm_after .quant_h2
      .f .z              BinaryUnit
      .affine_2  .pools.h3|w3|h5|w5 (Affine)  .pools.quant_p  .quant_x
    merges.<i>           transition t<i+1>: norm_0, quant_h, move, linear, norm, rprelu, position, quant_x
                         some-fp: norm_0, quant_h, conv (PatchLinear), position, quant_x
    head                 norm, quant_f, classifier, quant_weight
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

import torch
from torch import Tensor, nn

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.builder import Builder
from bvit_hw.errors import ConfigError, FreezeError
from bvit_hw.models.blocks import Block, FullPrecisionMerge, Head, Merge, Stem
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.quant import MODES, ActQuant, FixedPointQuant, Mode


class BinaryViT(nn.Module):
    """Normalized images (float32, B x in_channels x H x W) in, logits (B x classes) out.

    Activations and weights inside are binary in every mode. ``float`` leaves the residual stream, the stem and the
    classifier in floating point; ``quant`` makes every multi-bit tensor fixed point, and in eval mode attention follows
    the integer row rule, so that it decides as the frozen model does. A new model is in ``float`` mode.
    """

    def __init__(self, config: BinaryViTConfig) -> None:
        super().__init__()
        self.config = config
        self.stem = Stem(config)
        self.blocks = nn.ModuleList(Block(config, stage) for stage in config.block_stages)
        merge = FullPrecisionMerge if config.full_precision_merges else Merge
        self.merges = nn.ModuleList(merge(config, stage) for stage in range(1, config.stages))
        self.head = Head(config)
        self.register_buffer("calibrated", torch.tensor(False))
        self.mode: Mode = "float"
        for name, quantizer in self.act_quantizers().items():
            quantizer.tensor_name = name

    def act_quantizers(self) -> dict[str, ActQuant]:
        """Every activation quantizer by the name of its tensor in docs/contract.md (``g`` is ``b<i>.g``)."""
        found = {"stem.x": self.stem.quant_x}
        for i, block in enumerate(cast(Iterable[Block], self.blocks)):
            found |= {f"b{i}.{part}": quantizer for part, quantizer in block.quantizers().items()}
        for i, merge in enumerate(self.merges, start=1):
            found |= {f"t{i}.h": merge.quant_h, f"t{i}.x": merge.quant_x}
        return found | {"head.f": self.head.quant_f}

    def set_mode(self, mode: Mode) -> BinaryViT:
        """Switch all quantizers to ``float`` or ``quant``; ``quant`` before calibration raises :class:`ConfigError`."""
        if mode not in MODES:
            raise ConfigError(f"mode {mode!r} is unknown; allowed: {', '.join(MODES)}")
        if mode == "quant" and not self.calibrated:
            raise ConfigError("mode 'quant' needs exponents: call calibrate() with images, or load a QAT checkpoint")
        self.mode = mode
        for module in self.modules():
            if isinstance(module, FixedPointQuant):
                module.mode = mode
        return self

    @torch.no_grad()
    def calibrate(self, batches: Iterable[Tensor], *, sample: int | None = None) -> BinaryViT:
        """Choose every activation's exponent from normalized image batches, then switch to ``quant`` mode.

        It is the exponent of least squared error over all values, or over about ``sample`` values of each tensor and
        batch, evenly spread. Nothing else changes, BatchNorm statistics neither.
        """
        training = self.training
        self.eval()
        self.set_mode("observe")
        quantizers = self.act_quantizers().values()
        for quantizer in quantizers:
            quantizer.sample = sample
        for images in batches:
            self(images)
        for quantizer in quantizers:
            quantizer.sample = None
            quantizer.finish_calibration()
        self.calibrated.fill_(True)
        self.train(training)
        return self.set_mode("quant")

    def forward(self, images: Tensor) -> Tensor:
        config = self.config
        expected = (config.in_channels, config.image_size, config.image_size)
        if images.ndim != 4 or tuple(images.shape[1:]) != expected:
            wanted = " x ".join(map(str, expected))
            raise ConfigError(f"images: shape {tuple(images.shape)} given; expected N x {wanted}")
        x = self.stem(images)
        stage = 0
        for block, block_stage in zip(self.blocks, config.block_stages, strict=True):
            if block_stage != stage:
                x = self.merges[stage](x)
                stage = block_stage
            x = block(x)
        return self.head(x)

    @torch.no_grad()
    def freeze(self, b: Builder) -> FrozenGraph:
        """The network as nodes of the contract: :meth:`forward` in integers.

        Raises :class:`FreezeError` for a full-precision network, and for numbers that do not fit the contract.
        """
        config = self.config
        if config.full_precision:
            raise FreezeError(
                "full_precision=True: a full-precision network has no integers to freeze; it can only teach"
            )
        pixels = b.input("pixels", config.image_size, config.image_size, config.in_channels)
        with b.within("stem."):
            x = self.stem.freeze(b, pixels)
        stage = 0
        for i, (block, block_stage) in enumerate(zip(self.blocks, config.block_stages, strict=True)):
            if block_stage != stage:
                with b.within(f"t{block_stage}."):
                    x = cast("Merge | FullPrecisionMerge", self.merges[stage]).freeze(b, x)
                stage = block_stage
            with b.within(f"b{i}."):
                x = cast(Block, block).freeze(b, x)
        with b.within("head."):
            acc = self.head.freeze(b, x)
        logits = b.logits("logits", acc, self.head.bias)
        return b.finish(pixels, logits, config.model_dump(mode="json"))

    @torch.no_grad()
    def trace(self, images: Tensor) -> dict[str, Tensor]:
        """Every multi-bit tensor of one forward pass by its contract name (B x N x C floats), and ``logits``.

        ``b<i>.x`` is the output of block i.
        """
        seen: dict[str, Tensor] = {}
        handles = [
            quantizer.register_forward_hook(lambda _module, _args, out, name=name: seen.__setitem__(name, out))
            for name, quantizer in self.act_quantizers().items()
        ]
        try:
            seen["logits"] = self(images)
        finally:
            for handle in handles:
                handle.remove()
        return seen
