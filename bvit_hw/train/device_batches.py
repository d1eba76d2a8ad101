"""Batches of small pictures that all lie on the training device, augmented there, a whole batch at a time.

A GPU trains more of them in a second than worker processes can read and transform one by one. Here nothing travels but
random numbers, which depend on seed, epoch and step alone.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from bvit_hw.data import ImageData
from bvit_hw.data.loading import Share, derived_seed, epoch_order
from bvit_hw.train.augment import CROP_AUGMENTATIONS, shifted
from bvit_hw.train.blend import Blend
from bvit_hw.train.recipe import Recipe

_EVALUATION_BATCH = 256


def fits_device(recipe: Recipe, data: ImageData) -> bool:
    """Whether the data lie in memory at the network's size and the recipe asks for nothing but shifts and flips."""
    in_memory = data.arrays is not None and data.size == recipe.model.image_size
    return in_memory and recipe.augmentation in CROP_AUGMENTATIONS and not recipe.rand_augment


class DeviceBatches:
    """Normalized batches (float32 B x C x S x S; labels B, or B x classes where pictures are mixed); no state."""

    def __init__(self, recipe: Recipe, data: ImageData, share: Share, device: torch.device) -> None:
        assert data.arrays is not None
        self.recipe, self.share, self.device = recipe, share, device
        arrays, config = data.arrays, recipe.model
        self.images, self.test_images = (
            torch.from_numpy(images).permute(0, 3, 1, 2).contiguous().to(device)
            for images in (arrays.train_images, arrays.test_images)
        )
        self.labels, self.test_labels = (
            torch.from_numpy(labels).to(device) for labels in (arrays.train_labels, arrays.test_labels)
        )
        self.steps = len(self.images) // share.step
        self._blend = Blend(recipe, share)
        # In the pixels' own units, so that one multiply-add per pixel is left.
        mean, std = torch.tensor(config.mean, device=device), torch.tensor(config.std, device=device)
        self._scale, self._shift = (1 / (255 * std)).view(1, -1, 1, 1), (-mean / std).view(1, -1, 1, 1)

    def _normalized(self, pixels: Tensor) -> Tensor:
        return torch.addcmul(self._shift, pixels.float(), self._scale)

    def epoch(self, epoch: int, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        recipe, share = self.recipe, self.share
        order = epoch_order(len(self.images), recipe.seed, epoch).to(self.device)
        flips = recipe.augmentation == "crop-flip"
        margin = 0 if recipe.augmentation == "none" else max(1, recipe.model.image_size // 8)
        for step in range(start, self.steps):
            # Of the whole step, whatever part of it this process sees: its pictures are the same in any division.
            generator = torch.Generator().manual_seed(derived_seed("augment", recipe.seed, epoch, step))
            draw = torch.rand(3, share.step, generator=generator).to(self.device, non_blocking=True)
            for micro in range(share.accumulate):
                mine = share.positions(step, micro)
                own = draw[:, mine.start - step * share.step : mine.stop - step * share.step]
                chosen = order[mine.start : mine.stop]
                images = self._normalized(shifted(self.images[chosen], own, margin=margin, flips=flips))
                yield self._blend(images, self.labels[chosen], epoch, step, micro)

    def calibration(self) -> Iterator[Tensor]:
        count = len(self.images)
        wanted = min(self.recipe.calibration_images or count, count)
        chosen = epoch_order(count, self.recipe.seed, 0)[:wanted].to(self.device)
        return (self._normalized(self.images[part]) for part in chosen.split(_EVALUATION_BATCH))

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        rank, world = self.share.rank, self.share.world
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        for x, y in zip(images.split(_EVALUATION_BATCH), labels.split(_EVALUATION_BATCH), strict=True):
            yield self._normalized(x), y

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        del state
