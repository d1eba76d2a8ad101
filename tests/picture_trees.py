"""Folders of small pictures, one a class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from tests.frozen_factory import CONFIGS, random_pixels

CONFIG = CONFIGS["pyramid"]


def write_tree(root: Path, classes: tuple[str, ...] = ("cat", "dog"), images: int = 3, size: int = 40) -> Path:
    """JPEG files in train/ and val/, with another grey for each class."""
    for split in ("train", "val"):
        for number, name in enumerate(classes):
            (root / split / name).mkdir(parents=True)
            for i in range(images):
                grey = np.full((size, size + 8 * i, 3), 40 + 150 * number, np.uint8)
                Image.fromarray(grey).save(root / split / name / f"{i}.jpg")
    return root


def pictures(folder: Path, classes: int, each: int) -> None:
    """PNG and JPEG files of several sizes in class folders."""
    pixels = random_pixels(CONFIG, classes * each, seed=3)
    for index, image in enumerate(pixels):
        place = folder / f"class{index % classes}"
        place.mkdir(parents=True, exist_ok=True)
        size = (16, 16) if index % 3 else (40, 24)
        Image.fromarray(image).resize(size).save(place / f"{index:03}.{'png' if index % 2 else 'JPG'}")
