"""Labelled images in one .npz file, checked as every reader checks them (bvit_hw/runtime/archive.py, labels.py)."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bvit_hw.data.datasets import Images, Labels
from bvit_hw.errors import DatasetError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.runtime.archive import read_archive
from bvit_hw.runtime.errors import ImageError
from bvit_hw.runtime.labels import check_labels


def load_archive(path: str, config: BinaryViTConfig, *, labelled: bool = True) -> tuple[Images, Labels | None]:
    """``images`` and ``labels`` of an .npz file, as a network of ``config`` takes them: uint8 N x S x S x C, int64 N.

    Without ``labelled`` there may be no labels. Raises :class:`DatasetError` naming the file and what is wrong.
    """
    try:
        images, labels = read_archive(Path(path), labelled=labelled)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    size, channels = config.image_size, config.in_channels
    if images.dtype != np.uint8 or images.shape[1:] != (size, size, channels) or images.ndim != 4:
        raise DatasetError(
            f"{path}: images are {images.dtype} {images.shape}; the network takes uint8 "
            f"N x {size} x {size} x {channels}"
        )
    if not len(images):
        raise DatasetError(f"{path}: 0 images")
    if labels is None:
        return images, None
    try:
        return images, check_labels(labels, len(images), config.classes)
    except ValueError as error:
        raise DatasetError(f"{path}: {error}") from error
