"""Batches whose order is no state."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from bvit_hw.data import evaluation_images, open_data
from bvit_hw.data.augment import evaluation_transform, training_transform
from bvit_hw.data.loading import Loader, Share, epoch_order
from tests.picture_trees import write_tree


def test_batches_depend_on_seed_epoch_and_step_alone(tmp_path: Path) -> None:
    """Any start, any number of workers, any number of processes: the same pictures, cut the same way."""
    data = open_data(str(write_tree(tmp_path, images=8)))
    transform = training_transform("paper", 16)
    alone = list(Loader(data.train, transform).epoch(Share(4), seed=3, epoch=2))
    assert len(alone) == 4 and alone[0][0].shape == (4, 3, 16, 16) and alone[0][0].dtype == torch.uint8
    torch.rand(5)
    before = torch.get_rng_state()
    later = list(Loader(data.train, transform, workers=1).epoch(Share(4), seed=3, epoch=2, start=2))
    for (x, y), (other_x, other_y) in zip(alone[2:], later, strict=True):
        assert torch.equal(x, other_x) and torch.equal(y, other_y)
    for world, accumulate in ((2, 1), (1, 2), (2, 2)):
        batch = 4 // (world * accumulate)
        parts = [
            list(Loader(data.train, transform).epoch(Share(batch, accumulate, rank, world), seed=3, epoch=2))
            for rank in range(world)
        ]
        assert all(len(part) == 4 * accumulate for part in parts)
        for step in range(4):
            found = [part[step * accumulate + micro][0] for micro in range(accumulate) for part in parts]
            assert torch.equal(torch.cat(found), alone[step][0]), (world, accumulate)
    assert torch.equal(torch.get_rng_state(), before), "the caller's random numbers are its own"
    other = next(iter(Loader(data.train, transform).epoch(Share(4), seed=3, epoch=3)))
    assert not torch.equal(other[0], alone[0][0])
    orders = {tuple(epoch_order(16, seed, epoch).tolist()) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9 and all(sorted(order) == list(range(16)) for order in orders)


def test_every_test_picture_is_seen_once(tmp_path: Path) -> None:
    data = open_data(str(write_tree(tmp_path, images=5)))
    loader = Loader(data.test, evaluation_transform(32))
    seen = [torch.cat([y for _, y in loader.all(3, rank, 3)]) for rank in range(3)]
    assert sorted(torch.cat(seen).tolist()) == [0] * 5 + [1] * 5
    images = np.concatenate([x for x, _ in evaluation_images(data.test, 32, 4)])
    labels = np.concatenate([y for _, y in evaluation_images(data.test, 32, 4)])
    assert images.shape == (10, 32, 32, 3) and images.dtype == np.uint8
    assert np.abs(images.astype(int) - (40 + 150 * labels)[:, None, None, None]).max() <= 2
