"""The digits dataset: real images, exact upscaling, a split that stays."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.datasets import load_digits

from bvit_hw.data import load_dataset, normalize
from bvit_hw.data.digits import upscale
from bvit_hw.errors import ConfigError


def test_split_is_stratified_disjoint_and_fixed() -> None:
    digits = load_dataset("digits")
    assert digits.train_images.shape == (1437, 32, 32, 3) and digits.test_images.shape == (360, 32, 32, 3)
    assert digits.train_images.dtype == digits.test_images.dtype == np.uint8
    share = np.bincount(digits.test_labels) / np.bincount(np.concatenate((digits.train_labels, digits.test_labels)))
    assert share.min() > 0.19 and share.max() < 0.21
    both = np.concatenate((digits.train_images, digits.test_images))
    originals = upscale(load_digits().images.astype(np.int64))
    assert sorted(map(bytes, both)) == sorted(map(bytes, originals)), "each image is there exactly once"
    # Every accuracy in the documentation is of this split.
    assert hashlib.sha256(digits.test_labels.astype("<i8").tobytes()).hexdigest()[:16] == "4493b2052e7b4258"


def test_upscaling_is_bilinear_to_the_nearest_grey() -> None:
    digits = load_digits().images[:50].astype(np.int64)
    ours = upscale(digits)
    source = torch.from_numpy(digits)[:, None].double() * 255 / 16
    exact = F.interpolate(source, size=(32, 32), mode="bilinear", align_corners=False)[:, 0].numpy()
    assert np.abs(ours[..., 0] - exact).max() <= 0.5 + 1e-9
    assert (ours == ours[..., :1]).all() and ours.max() > 240 and ours.min() == 0


def test_normalize_is_channels_first_and_per_channel() -> None:
    images = np.zeros((2, 3, 4, 3), np.uint8)
    images[1, 2, 3] = (255, 51, 0)
    out = normalize(images, (0.5, 0.2, 0.0), (0.5, 0.1, 2.0))
    assert out.shape == (2, 3, 3, 4) and out.dtype == torch.float32
    assert torch.allclose(out[1, :, 2, 3], torch.tensor([1.0, 0.0, 0.0]), atol=1e-6)
    assert torch.allclose(out[0, :, 0, 0], torch.tensor([-1.0, -2.0, 0.0]))


def test_unknown_dataset_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match="'mnist' is unknown; allowed: digits"):
        load_dataset("mnist")
