"""scikit-learn's handwritten digits (1,797 real images of 8 x 8 pixels) shown as 32 x 32 x 3."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn import datasets as sklearn_datasets
from sklearn.model_selection import train_test_split

from bvit_hw.data.datasets import Dataset, Images

TEST_IMAGES = 360
_SPLIT_SEED = 0
_SIDE, _FACTOR = 8, 4


def _interpolation() -> NDArray[np.int64]:
    """Bilinear weights, 32 x 8, in eighths: pixel centres at half-integers, the border repeated."""
    weights = np.zeros((_SIDE * _FACTOR, _SIDE), np.int64)
    for out in range(_SIDE * _FACTOR):
        # Position of the pixel's centre in units of 1/8 input pixel, counted from the first input centre.
        eighths = 2 * out + 1 - _FACTOR
        low, fraction = divmod(eighths, 8)
        weights[out, min(max(low, 0), _SIDE - 1)] += 8 - fraction
        weights[out, min(max(low + 1, 0), _SIDE - 1)] += fraction
    return weights


def upscale(digits: NDArray[np.int64]) -> Images:
    """Digits N x 8 x 8 with values 0..16 as pictures N x 32 x 32 x 3, 0..255, in exact integer arithmetic."""
    weights = _interpolation()
    scaled = weights @ digits @ weights.T  # 64 times the interpolated value
    grey = (scaled * 255 * 2 + 64 * 16) // (64 * 16 * 2)
    return np.repeat(grey.astype(np.uint8)[..., None], 3, axis=-1)


def load_digits() -> Dataset:
    """The digits with a fixed stratified test split of 360 images (20 %)."""
    bunch = sklearn_datasets.load_digits()
    labels = bunch.target.astype(np.int64)
    train, test = train_test_split(
        np.arange(len(labels)), test_size=TEST_IMAGES, stratify=labels, random_state=_SPLIT_SEED
    )
    images = upscale(bunch.images.astype(np.int64))
    return Dataset("digits", 10, images[train], labels[train], images[test], labels[test])
