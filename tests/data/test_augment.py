"""Transforms of training and evaluation."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from bvit_hw.data.augment import evaluation_transform, training_transform
from bvit_hw.errors import ConfigError


def test_transforms_do_what_the_paper_does() -> None:
    random = np.random.default_rng(0)
    picture = Image.fromarray(random.integers(0, 256, (60, 90, 3), np.uint8).repeat(4, 0).repeat(4, 1))
    # DeiT's evaluation: shorter side to 224 / 0.875 = 256, bicubic, the middle 224 x 224.
    resized = picture.resize((384, 256), Image.Resampling.BICUBIC).crop((80, 16, 304, 240))
    ours = evaluation_transform(224)(picture)
    assert (np.abs(ours.permute(1, 2, 0).numpy().astype(int) - np.asarray(resized).astype(int)) <= 1).all()
    small = torch.arange(3 * 32 * 32, dtype=torch.uint8).view(3, 32, 32)
    assert torch.equal(evaluation_transform(32)(small), small)
    torch.manual_seed(0)
    shifted = {training_transform("crop-flip", 32)(small).numpy().tobytes() for _ in range(40)}
    assert len(shifted) > 25
    ramp = Image.fromarray(np.tile(np.arange(256, dtype=np.uint8)[None, :, None], (256, 1, 3)))
    cut = torch.stack([training_transform("paper", 24)(ramp) for _ in range(200)]).float()
    rising = cut[:, 0, 12, -1] > cut[:, 0, 12, 0]
    assert 60 < int(rising.sum()) < 140, "half of them flipped"
    width = (cut[:, 0, 12, -1] - cut[:, 0, 12, 0]).abs() / 256
    assert width.min() < 0.4 and width.max() > 0.9, "areas from 8 to 100 %"
    with pytest.raises(ConfigError, match="allowed: affine, paper, crop-flip, crop, none"):
        training_transform("mixup", 32)  # type: ignore[arg-type]
