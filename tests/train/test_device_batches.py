"""Small pictures on the device: batches, and a whole step of training with everything on."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bvit_hw.data import Dataset, ImageData
from bvit_hw.data.loading import Share
from bvit_hw.data.sources import ArraySplit
from bvit_hw.errors import ConfigError
from bvit_hw.models import BinaryViTConfig
from bvit_hw.train import Recipe, Trainer
from bvit_hw.train.augment import shifted
from bvit_hw.train.batches import open_batches
from bvit_hw.train.device_batches import DeviceBatches

CONFIG = BinaryViTConfig.create(
    image_size=8, in_channels=1, patch_size=2, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,),
    reductions=(1,), classes=3, mean=(0.5,), std=(0.5,),
)  # fmt: skip

CPU = torch.device("cpu")


def pictures(count: int = 40, channels: int = 1) -> ImageData:
    """Random pictures whose first pixel tells their index."""
    random = np.random.default_rng(0)
    images = random.integers(1, 256, (count, 8, 8, channels), np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    data = Dataset("some", 3, images, labels, images[:6], labels[:6])
    split = ArraySplit(images, labels)
    return ImageData("some", ("a", "b", "c"), split, ArraySplit(images[:6], labels[:6]), 8, data, channels)


def recipe(**changes: object) -> Recipe:
    base = {"dataset": "some", "model": CONFIG, "epochs": 4, "batch_size": 10, "augmentation": "crop-flip"}
    return Recipe.model_validate(base | changes)


def batches(share: Share, **changes: object) -> list[tuple[torch.Tensor, torch.Tensor]]:
    found = open_batches(recipe(**changes), pictures(), share, CPU, 0)
    assert isinstance(found, DeviceBatches)
    return list(found.epoch(2, 0))


def test_shifts_bring_zeros_in_and_flips_mirror() -> None:
    image = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8)
    draw = torch.tensor([[0.5], [0.5], [0.9]])  # the middle of -1..1: not moved
    assert torch.equal(shifted(image, draw, margin=1, flips=True), image)
    draw[2] = 0.1
    assert torch.equal(shifted(image, draw, margin=1, flips=True), image.flip(3))
    assert torch.equal(shifted(image, draw, margin=1, flips=False), image)
    down = shifted(image, torch.tensor([[0.0], [0.5], [0.9]]), margin=1, flips=False)
    assert (down[0, 0, 0] == 0).all() and torch.equal(down[0, 0, 1:], image[0, 0, :-1])
    many = shifted(image.expand(600, -1, -1, -1), torch.rand(3, 600), margin=1, flips=True)
    assert len({tuple(picture.flatten().tolist()) for picture in many}) == 18, "3 x 3 places, mirrored or not"


def test_any_division_of_a_step_sees_the_same_pictures() -> None:
    changes = {"cutout": 3, "mixup": 0.4}
    whole = batches(Share(20), batch_size=20, **changes)
    halves = [batches(Share(10, 1, rank, 2), **changes) for rank in (0, 1)]
    for (images, labels), first, second in zip(whole, *halves, strict=True):
        assert torch.equal(images, torch.cat([first[0], second[0]]))
        torch.testing.assert_close(labels, torch.cat([first[1], second[1]]))


def test_an_epoch_can_be_entered_at_any_step() -> None:
    found = open_batches(recipe(cutout=2), pictures(), Share(10), CPU, 0)
    whole, rest = list(found.epoch(1, 0)), list(found.epoch(1, 2))
    assert len(whole) == 4 and all(torch.equal(a[0], b[0]) for a, b in zip(whole[2:], rest, strict=True))
    assert not torch.equal(whole[0][0], next(iter(found.epoch(2, 0)))[0])


def test_without_augmentation_pictures_are_as_they_are() -> None:
    found = batches(Share(10), augmentation="none")
    seen = torch.cat([images for images, _ in found])
    pixels = ((seen * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    original = pictures().arrays.train_images  # type: ignore[union-attr]
    assert {p.tobytes() for p in pixels} == {p.tobytes() for p in original}


def test_pictures_of_other_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"pictures have 3 channels; the network has in_channels=1"):
        open_batches(recipe(), pictures(channels=3), Share(10), CPU, 0)


def test_a_whole_step_with_everything_on() -> None:
    trainer = Trainer(recipe(cutout=2, mixup=0.2, fuse=None), pictures())
    assert trainer.graphs is None and not trainer.steps_taken.fused, "a CPU replays no graphs"
    losses = [trainer.run_step()[0] for _ in range(3)]
    assert all(np.isfinite(losses))
