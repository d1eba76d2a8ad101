"""Small networks for the tests of freezing and export: every operation and variant at the least size."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from bvit_hw.models import BinaryViT, BinaryViTConfig
from bvit_hw.models.layers import RPReLU

# Such small tensors gain nothing from threads, and lose much on a busy machine.
torch.set_num_threads(1)

_PYRAMID = {
    "image_size": 16, "channels": (8, 16), "depths": (1, 1), "heads": (1, 2), "mlp_widths": (16, 16),
    "reductions": (2, 1), "classes": 5,
}  # fmt: skip

#: windows that are no power of two, narrow and wide tensors, colour normalization
_ODD = {
    "image_size": 24, "channels": (6, 12), "depths": (1, 1), "heads": (2, 3), "mlp_widths": (18, 12),
    "reductions": (3, 1), "classes": 7, "full_precision_merges": True, "act_bits": 6, "residual_bits": 10,
    "weight_bits": 6, "mean": (0.48, 0.45, 0.4), "std": (0.23, 0.22, 0.225),
}  # fmt: skip

#: one stage without norm in the stem, pool branches and affines: the plain rows of the ablation
_PLAIN = {
    "image_size": 12, "channels": (8,), "depths": (2,), "heads": (2,), "mlp_widths": (32,), "reductions": (1,),
    "classes": 3, "stem_norm": False, "affine": False, "pool_branches": False,
}  # fmt: skip

#: the ablation's baseline: tokens in one row, the class token first
CLASS_TOKEN = BinaryViTConfig.create(**(_PLAIN | {"class_token": True}))

CONFIGS = {
    "pyramid": BinaryViTConfig.create(**_PYRAMID),
    "odd": BinaryViTConfig.create(**_ODD),
    "plain": BinaryViTConfig.create(**_PLAIN),
    "token": CLASS_TOKEN,
}


def random_pixels(config: BinaryViTConfig, count: int, seed: int = 0) -> np.ndarray:
    """Uniform uint8 images, count x H x W x C."""
    rng = np.random.default_rng(seed)
    shape = (count, config.image_size, config.image_size, config.in_channels)
    return rng.integers(0, 256, shape, dtype=np.uint8)


def calibrated_model(config: BinaryViTConfig, images: torch.Tensor, seed: int = 0) -> BinaryViT:
    """A model with drawn parameters, norms settled on ``images`` (normalized), calibrated on them, in eval mode."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    model = BinaryViT(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if name.endswith(("move", "move_q", "move_k", "move_v", "move_1", "move_2", "norm.bias", "position")):
                parameter.copy_(0.3 * noise)
            elif name.endswith(("alpha", "slope")):
                parameter.copy_(0.3 + 0.3 * noise)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.weight.uniform_(0.3, 1.5, generator=generator)
                module.weight[0] *= -1
                module.momentum = None
            elif isinstance(module, RPReLU):
                module.slope[0] = 1.7
        # Without momentum a norm averages over all passes; three let the later layers see settled earlier ones.
        model.train()
        for _ in range(3):
            model(images)
    return model.eval().calibrate([images])
