"""Any folder of pictures, without classes or splits: what calibration needs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from bvit_hw.data.datasets import Images, no_folder
from bvit_hw.errors import DatasetError
from bvit_hw.runtime.errors import ImageError
from bvit_hw.runtime.pictures import read_picture
from bvit_hw.runtime.preprocess import Preprocessing

SUFFIXES = (".png", ".jpg", ".jpeg")


def find_pictures(folder: Path | str) -> list[Path]:
    """Every PNG and JPEG file below ``folder``, in the order of their paths; none raises :class:`DatasetError`."""
    folder = Path(folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: {no_folder(folder)}; a folder with PNG or JPEG pictures is expected")

    def refuse(error: OSError) -> None:
        raise DatasetError(f"{error.filename}: cannot be read: {error.strerror}") from error

    found = [
        Path(root) / name
        for root, _, names in os.walk(folder, followlinks=True, onerror=refuse)
        for name in names
        if name.lower().endswith(SUFFIXES)
    ]
    if not found:
        raise DatasetError(f"{folder}: no picture in it or below; expected files *{', *'.join(SUFFIXES)}")
    return sorted(found)


def spread(count: int, limit: int | None) -> list[int]:
    """At most ``limit`` of 0..count-1, evenly spread: pictures of one class mostly lie side by side."""
    if limit is None or limit >= count:
        return list(range(count))
    return [i * count // limit for i in range(limit)]


def read_pictures(files: Sequence[Path], how: Preprocessing, batch_size: int = 64) -> Iterator[Images]:
    """The pictures as uint8 batches N x H x W x C, prepared as ``how`` says.

    A damaged file raises :class:`DatasetError` naming it.
    """
    if how.channels not in (1, 3):
        raise DatasetError(f"the network takes {how.channels} image channels; pictures have 1 or 3")
    for start in range(0, len(files), batch_size):
        yield np.concatenate([how(_pixels(file)[None]) for file in files[start : start + batch_size]])


def _pixels(file: Path) -> Images:
    try:
        pixels = np.asarray(read_picture(file))
    except ImageError as error:
        raise DatasetError(str(error)) from error
    return pixels if pixels.ndim == 3 else pixels[..., None]


def load_folder(
    path: Path | str, how: Preprocessing, limit: int | None = None, batch_size: int = 64
) -> Iterator[Images]:
    """Every picture below ``path``, or ``limit`` of them evenly spread, as uint8 batches N x H x W x C.

    Raises :class:`DatasetError` naming the folder or file: no folder, no pictures, a damaged one.
    """
    files = find_pictures(path)
    return read_pictures([files[i] for i in spread(len(files), limit)], how, batch_size)
