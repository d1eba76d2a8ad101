"""What happens to a picture before the network sees it, uint8 in, uint8 C x S x S out.

Training's random transforms are torchvision's v2; evaluation's is :mod:`bvit_hw.runtime.preprocess`, the driver's own.
Normalization is left to the device that trains: a quarter of the bytes travel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor
from torchvision.transforms import v2

from bvit_hw.errors import ConfigError
from bvit_hw.runtime.preprocess import Preprocessing

Augmentation = Literal["affine", "paper", "crop-flip", "crop", "none"]
AUGMENTATIONS: tuple[str, ...] = get_args(Augmentation)

_BICUBIC = v2.InterpolationMode.BICUBIC

Transform = Callable[[object], Tensor]


def training_transform(name: Augmentation, size: int, rand_augment: int = 0) -> Transform:
    """The random transform called ``name``, to ``size`` x ``size``; randomness comes from torch's CPU generator.

    ``paper``: random resized crop (8..100 % of the area, 3:4..4:3, bicubic) and flip, nothing else. ``crop-flip``: the
    usual one for CIFAR, a random shift of up to an eighth of the side (zero padded) and flip; ``crop``: no flip.
    ``none``: as validation. Before any of them come ``rand_augment`` random operations (RandAugment, arXiv 1909.13719).
    ``affine`` works on whole batches (:func:`bvit_hw.train.augment.random_affine`) and is refused here.
    """
    before = [v2.RandAugment(num_ops=rand_augment)] if rand_augment else []
    if name == "paper":
        steps = [v2.RandomResizedCrop(size, interpolation=_BICUBIC, antialias=True), v2.RandomHorizontalFlip()]
    elif name in ("crop-flip", "crop"):
        steps = [
            v2.Resize((size, size), interpolation=_BICUBIC, antialias=True),
            v2.RandomCrop(size, padding=max(1, size // 8)),
            *([v2.RandomHorizontalFlip()] if name == "crop-flip" else []),
        ]
    elif name == "none":
        steps = [evaluation_transform(size)]
    else:
        allowed = ", ".join(AUGMENTATIONS)
        raise ConfigError(f"augmentation {name!r} is unknown, or not for single pictures; allowed: {allowed}")
    return _compose(*before, *steps)


def evaluation_transform(how: Preprocessing | int) -> Transform:
    """A picture as ``how`` says; a number is the side of square ones, of their own channels, by the defaults."""

    def fit(image: object) -> Tensor:
        pixels = image.permute(1, 2, 0).numpy() if isinstance(image, Tensor) else np.asarray(image)
        pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        wanted = Preprocessing(how, how, pixels.shape[2]) if isinstance(how, int) else how
        return torch.from_numpy(np.ascontiguousarray(wanted(pixels[None])[0].transpose(2, 0, 1)))

    return fit


def _compose(*steps: Callable[[object], object]) -> Transform:
    return v2.Compose([*steps, v2.ToImage(), v2.ToDtype(torch.uint8), _plain])


def _plain(image: Tensor) -> Tensor:
    """Without torchvision's subclass, which makes every later operation dearer."""
    return image.as_subclass(Tensor)
