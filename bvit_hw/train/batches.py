"""Where a run's batches come from, and what of it is state.

Both sources deal a step's pictures to the processes alike: two processes with batches of B see what one with 2 B sees.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import torch
from torch import Tensor

from bvit_hw.data import ImageData, normalize
from bvit_hw.data.augment import evaluation_transform, training_transform
from bvit_hw.data.loading import Loader, Share, epoch_order
from bvit_hw.errors import ConfigError
from bvit_hw.train.augment import random_affine
from bvit_hw.train.blend import Blend
from bvit_hw.train.device_batches import DeviceBatches, fits_device
from bvit_hw.train.recipe import Recipe

Batch = tuple[Tensor, Tensor]

_CALIBRATION_BATCH = 256


class Batches(Protocol):
    """Normalized batches (float32 B x C x S x S, labels B) of one process, on its device."""

    #: steps of an epoch
    steps: int

    def epoch(self, epoch: int, start: int) -> Iterator[Batch]:
        """Micro-batches of epoch ``epoch`` from step ``start`` on."""

    def calibration(self) -> Iterator[Tensor]:
        """Training images without augmentation, the same in every process."""

    def test(self) -> Iterator[Batch]:
        """This process's part of the test split."""

    def state(self) -> dict[str, Tensor]:
        """What the batches to come depend on, beside epoch and step."""

    def load_state(self, state: dict[str, Tensor]) -> None:
        """Go on where :meth:`state` was taken."""


def steps_of(images: int, share: Share) -> int:
    """Whole steps of an epoch; none at all raises :class:`ConfigError`."""
    if images < share.step:
        what = f"batch_size={share.batch}"
        if share.step != share.batch:
            what += f" x {share.accumulate} accumulated x {share.world} processes = {share.step}"
        raise ConfigError(f"{what} exceeds the {images} training images; a smaller one: --batch-size")
    return images // share.step


class AffineBatches:
    """Small datasets held in memory as floats, moved by random affine maps a batch at a time.

    Order and maps come from one generator, which is state.
    """

    def __init__(self, recipe: Recipe, data: ImageData, share: Share, device: torch.device) -> None:
        config = recipe.model
        if data.arrays is None or data.size != config.image_size:
            raise ConfigError(
                f"augmentation affine: {data.name} must be pictures in memory of side {config.image_size}; "
                "allowed for others: paper, crop-flip, none"
            )
        self.recipe, self.share, self.device = recipe, share, device
        arrays = data.arrays
        self.images = normalize(arrays.train_images, config.mean, config.std)
        self.labels = torch.from_numpy(arrays.train_labels)
        self.test_images = normalize(arrays.test_images, config.mean, config.std)
        self.test_labels = torch.from_numpy(arrays.test_labels)
        self.steps = steps_of(len(self.images), share)
        self._blend = Blend(recipe, share)
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._order = torch.empty(0, dtype=torch.int64)

    def epoch(self, epoch: int, start: int) -> Iterator[Batch]:
        recipe, share = self.recipe, self.share
        if start == 0:
            self._order = torch.randperm(len(self.images), generator=self._generator)
        for step in range(start, self.steps):
            draw = torch.rand(4, share.step, generator=self._generator)
            for micro in range(share.accumulate):
                mine = share.positions(step, micro)
                chosen = self._order[mine.start : mine.stop]
                offset = step * share.step
                images = random_affine(
                    self.images[chosen],
                    draw[:, mine.start - offset : mine.stop - offset],
                    shift=recipe.max_shift,
                    degrees=recipe.max_degrees,
                    scale=recipe.max_scale,
                )
                yield self._blend(images.to(self.device), self.labels[chosen].to(self.device), epoch, step, micro)

    def calibration(self) -> Iterator[Tensor]:
        count = self.recipe.calibration_images or len(self.images)
        return (images.to(self.device) for images in self.images[:count].split(_CALIBRATION_BATCH))

    def test(self) -> Iterator[Batch]:
        rank, world = self.share.rank, self.share.world
        images, labels = self.test_images[rank::world], self.test_labels[rank::world]
        for x, y in zip(images.split(_CALIBRATION_BATCH), labels.split(_CALIBRATION_BATCH), strict=True):
            yield x.to(self.device), y.to(self.device)

    def state(self) -> dict[str, Tensor]:
        return {"generator": self._generator.get_state(), "order": self._order.clone()}

    def load_state(self, state: dict[str, Tensor]) -> None:
        self._generator.set_state(state["generator"])
        self._order = state["order"]


class LoadedBatches:
    """Datasets of any size, transformed picture by picture by torchvision in worker processes; no state at all."""

    def __init__(self, recipe: Recipe, data: ImageData, share: Share, device: torch.device, workers: int) -> None:
        config = recipe.model
        self.recipe, self.data, self.share, self.device, self.workers = recipe, data, share, device, workers
        self.steps = steps_of(len(data.train), share)
        self._blend = Blend(recipe, share)
        self._pin = device.type == "cuda"
        transform = training_transform(recipe.augmentation, config.image_size, recipe.rand_augment)
        self._train = Loader(data.train, transform, workers=workers, pin_memory=self._pin)
        # In the pixels' own units, so that one multiply-add per pixel is left.
        self._scale = (1 / (255 * torch.tensor(config.std, device=device))).view(1, -1, 1, 1)
        self._shift = (-torch.tensor(config.mean, device=device) / torch.tensor(config.std, device=device)).view(
            1, -1, 1, 1
        )

    def _normalized(self, pixels: Tensor) -> Tensor:
        moved = pixels.to(self.device, non_blocking=self._pin).float()
        return torch.addcmul(self._shift, moved, self._scale)

    def _evaluation(self, split: object) -> Loader:
        size = self.recipe.model.image_size
        return Loader(split, evaluation_transform(size), workers=self.workers, pin_memory=self._pin)  # type: ignore[arg-type]

    def epoch(self, epoch: int, start: int) -> Iterator[Batch]:
        found = self._train.epoch(self.share, self.recipe.seed, epoch, start)
        for place, (pixels, labels) in enumerate(found, start * self.share.accumulate):
            step, micro = divmod(place, self.share.accumulate)
            moved = labels.to(self.device, non_blocking=self._pin)
            yield self._blend(self._normalized(pixels), moved, epoch, step, micro)

    def calibration(self) -> Iterator[Tensor]:
        count = len(self.data.train)
        wanted = min(self.recipe.calibration_images or count, count)
        chosen = epoch_order(count, self.recipe.seed, 0)[:wanted].tolist()
        subset = torch.utils.data.Subset(self.data.train, chosen)  # type: ignore[arg-type]
        for pixels, _ in self._evaluation(subset).all(min(_CALIBRATION_BATCH, self.share.batch)):
            yield self._normalized(pixels)

    def test(self) -> Iterator[Batch]:
        loader = self._evaluation(self.data.test)
        for pixels, labels in loader.all(max(self.share.batch, 2), self.share.rank, self.share.world):
            yield self._normalized(pixels), labels.to(self.device, non_blocking=self._pin)

    def state(self) -> dict[str, Tensor]:
        return {}

    def load_state(self, state: dict[str, Tensor]) -> None:
        del state


def open_batches(recipe: Recipe, data: ImageData, share: Share, device: torch.device, workers: int) -> Batches:
    """The batches of a recipe's augmentation; what does not fit the data or the network raises :class:`ConfigError`."""
    config = recipe.model
    if data.classes != config.classes:
        raise ConfigError(f"dataset {data.name} has {data.classes} classes; the network has {config.classes}")
    if config.in_channels != data.channels:
        raise ConfigError(
            f"dataset {data.name}: pictures have {data.channels} channels; the network has "
            f"in_channels={config.in_channels}; train --convert-colours converts them"
        )
    if recipe.augmentation == "affine":
        return AffineBatches(recipe, data, share, device)
    steps_of(len(data.train), share)
    if fits_device(recipe, data):
        return DeviceBatches(recipe, data, share, device)
    return LoadedBatches(recipe, data, share, device, workers)
