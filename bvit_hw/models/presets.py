"""Named networks: the shipped tiny one, the paper's, and the rows of its ablation."""

from __future__ import annotations

from bvit_hw.errors import ConfigError
from bvit_hw.models.config import BinaryViTConfig

_CIFAR = {"mean": (0.4914, 0.4822, 0.4465), "std": (0.247, 0.2435, 0.2616)}
_FASHION = {"mean": (0.286,), "std": (0.353,)}
_IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}


def _tiny(**changes: object) -> BinaryViTConfig:
    sizes = {
        "image_size": 32,
        "channels": (32, 64, 128, 256),
        "depths": (1, 1, 2, 1),
        "heads": (1, 2, 4, 8),
        "mlp_widths": (128, 256, 512, 1024),
        "reductions": (4, 2, 1, 1),
        "classes": 10,
    }
    return BinaryViTConfig.create(**(sizes | changes))


def _pictures(**changes: object) -> BinaryViTConfig:
    """Networks for real pictures of 32 pixels and less that fold on a PYNQ-Z2: patches of 2 x 2 pixels."""
    sizes = {
        "image_size": 32,
        "patch_size": 2,
        "channels": (64, 128, 256),
        "depths": (1, 2, 1),
        "heads": (1, 2, 4),
        "mlp_widths": (128, 256, 512),
        "reductions": (4, 2, 1),
        "classes": 10,
    }
    return BinaryViTConfig.create(**(sizes | changes))


def _small(**changes: object) -> BinaryViTConfig:
    sizes = {
        "image_size": 224,
        "channels": (64, 128, 256, 512),
        "depths": (3, 4, 8, 4),
        "heads": (1, 2, 4, 8),
        "mlp_widths": (512, 1024, 1024, 2048),
        "reductions": (8, 4, 1, 1),
        "classes": 1000,
    }
    return BinaryViTConfig.create(**(sizes | _IMAGENET | changes))


def _deit(**changes: object) -> BinaryViTConfig:
    sizes = {
        "image_size": 224,
        "patch_size": 16,
        "channels": (384,),
        "depths": (12,),
        "heads": (6,),
        "mlp_widths": (1536,),
        "reductions": (1,),
        "classes": 1000,
        "stem_norm": False,
        "affine": False,
        "pool_branches": False,
    }
    return BinaryViTConfig.create(**(sizes | _IMAGENET | changes))


PRESETS: dict[str, BinaryViTConfig] = {
    "tiny-digits": _tiny(),
    "tiny-digits-some-fp": _tiny(full_precision_merges=True),
    "tiny-cifar10": _tiny(**_CIFAR),
    "tiny-cifar100": _tiny(**_CIFAR, classes=100),
    "cifar10": _pictures(**_CIFAR),
    "fashion-mnist": _pictures(
        **_FASHION,
        image_size=28,
        in_channels=1,
        channels=(64, 128),
        depths=(1, 2),
        heads=(1, 2),
        mlp_widths=(192, 256),
        reductions=(2, 1),
    ),
    "deit-baseline": _deit(class_token=True),
    "deit-avg_pool": _deit(),
    "deit-multi_branch": _deit(pool_branches=True),
    "deit-affine": _deit(pool_branches=True, affine=True),
    "small-224": _small(),
    "small-224-some-fp": _small(full_precision_merges=True),
}

#: what each preset is; the paper's ablation adds one part a row
SUMMARIES = {
    "tiny-digits": "BinaryViT for 32 x 32 images",
    "tiny-digits-some-fp": "the same, patch merges in full precision",
    "tiny-cifar10": "the same network for CIFAR-10",
    "tiny-cifar100": "the same network for CIFAR-100",
    "cifar10": "BinaryViT for CIFAR-10, of a size for a PYNQ-Z2",
    "fashion-mnist": "BinaryViT for Fashion-MNIST, of a size for a PYNQ-Z2",
    "deit-baseline": "ablation: baseline, a binarized DeiT-S/16 with class token",
    "deit-avg_pool": "ablation: + average pooling instead of the class token",
    "deit-multi_branch": "ablation: + pool branches",
    "deit-affine": "ablation: + affine before each residual addition",
    "small-224": "ablation: + pyramid = BinaryViT-small/4/224",
    "small-224-some-fp": "BinaryViT-small/4/224, patch merges in full precision",
}


def preset(name: str) -> BinaryViTConfig:
    """The configuration called ``name``; an unknown name raises :class:`ConfigError` listing the known ones."""
    try:
        return PRESETS[name]
    except KeyError:
        raise ConfigError(f"preset {name!r} is unknown; allowed: {', '.join(PRESETS)}") from None
