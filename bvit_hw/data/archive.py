"""Labelled images in one .npz file, checked as every reader checks them (bvit_hw/runtime/archive.py, labels.py).

A file is images to measure on, or a data set to train on, in two parts; ``class_names`` (texts) may name the classes.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bvit_hw.data.datasets import Dataset, Images, Labels, path_of
from bvit_hw.errors import DatasetError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.runtime.archive import read_archive, read_arrays
from bvit_hw.runtime.errors import ImageError
from bvit_hw.runtime.images import to_bytes
from bvit_hw.runtime.labels import check_labels
from bvit_hw.runtime.preprocess import images_with_channels

#: of each class of a file without a test part, every so manieth image measures
TEST_SHARE = 5
_NAMES, _TEST = "class_names", ("test_images", "test_labels")


def load_archive(
    path: str, config: BinaryViTConfig, *, labelled: bool = True, converts: bool = False
) -> tuple[Images, Labels | None]:
    """``images`` and ``labels`` of an .npz file, as a network of ``config`` takes them: uint8 N x S x S x C, int64 N.

    Without ``labelled`` there may be no labels. With ``converts`` grey pictures (N x S x S, or C 1) are converted for
    three channels, and the reverse. Raises :class:`DatasetError` naming the file and what is wrong.
    """
    try:
        images, labels = read_archive(path_of(path), labelled=labelled)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    size, channels = config.image_size, config.in_channels
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim == 4 and images.dtype == np.uint8 and {images.shape[3], channels} == {1, 3}:
        if not converts:
            raise other_colours(path, channels)
        images = images_with_channels(images, channels)
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


def other_colours(data: str, channels: int) -> DatasetError:
    """That ``data`` are grey for a network of three channels, or the reverse, and what converts them."""
    kind = "grey" if channels == 3 else "coloured"
    return DatasetError(
        f"{data}: {kind} pictures; the network takes {channels} channel{'s' * (channels > 1)}, "
        "--convert-colours converts them"
    )


def archive_names(path: str | Path) -> tuple[str, ...] | None:
    """The classes' names in an .npz file, None where it has none; :class:`DatasetError` names file and array."""
    try:
        given = read_arrays(path_of(path), (), (_NAMES,)).get(_NAMES)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    if given is None:
        return None
    if given.ndim != 1 or given.dtype.kind != "U" or not given.size:
        raise DatasetError(f"{path}: {_NAMES} are {given.dtype} {given.shape}; texts are expected, one a class")
    names = tuple(map(str, given))
    if len(set(names)) != len(names) or not all(name.strip() for name in names):
        raise DatasetError(f"{path}: {_NAMES} must be different and not empty; given: {', '.join(map(repr, names))}")
    return names


def has_test_part(path: str | Path) -> bool:
    """Whether an .npz file says which images are to measure on: ``test_images``."""
    try:
        return bool(read_arrays(path_of(path), (), _TEST))
    except ImageError as error:
        raise DatasetError(str(error)) from error


def open_archive(path: Path) -> Dataset:
    """An .npz file as a data set: ``images`` and ``labels`` train, ``test_images`` and ``test_labels`` measure.

    Without the latter every fifth image of each class measures, or its last where there are fewer. Images are N x h x w
    (grey) or N x h x w x C, bytes or reals in 0..1, of any one size. :class:`DatasetError` names file and array.
    """
    names = archive_names(path)
    try:
        held = read_arrays(path, ("images", "labels"), _TEST)
    except ImageError as error:
        raise DatasetError(str(error)) from error
    alone = [name for name in _TEST if name in held]
    if len(alone) == 1:
        raise DatasetError(f"{path}: holds {alone[0]!r} without {next(n for n in _TEST if n not in held)!r}")
    images, labels = _part(path, held, "images", "labels", names)
    classes = len(names) if names else int(labels.max()) + 1
    counts = _every_class(path, labels, classes, names)
    if alone:
        test_images, test_labels = _part(path, held, *_TEST, names)
        if test_images.shape[1:] != images.shape[1:]:
            raise DatasetError(f"{path}: images are {images.shape[1:]}, test_images {test_images.shape[1:]}")
        if test_labels.max() >= classes:
            raise DatasetError(f"{path}: test_labels go up to {test_labels.max()}; labels have 0..{classes - 1}")
    else:
        if counts.min() < 2:
            single = int(np.flatnonzero(counts < 2)[0])
            raise DatasetError(
                f"{path}: labels: one image is of class {single}; one at least has to train and another to measure "
                "(or test_images and test_labels say which measure)"
            )
        test = _measuring(labels, counts)
        test_images, test_labels = images[test], labels[test]
        images, labels = images[~test], labels[~test]
    return Dataset(str(path), classes, images, labels, test_images, test_labels, names or ())


def _every_class(path: Path, labels: Labels, classes: int, names: tuple[str, ...] | None) -> Labels:
    """How many images each class has; :class:`DatasetError` names the first that has none."""
    # Nothing as long as the largest label is made, which may be any number, before all below it are known to be there.
    present, counts = np.unique(labels, return_counts=True)
    if len(present) < classes:
        gaps = np.flatnonzero(present != np.arange(len(present)))
        empty = int(gaps[0]) if len(gaps) else len(present)
        called = f" ({names[empty]!r})" if names else ""
        raise DatasetError(f"{path}: labels: no image is of class {empty}{called}; classes are 0..{classes - 1}")
    return counts


def _part(
    path: Path, held: dict[str, np.ndarray], name: str, label_name: str, names: tuple[str, ...] | None
) -> tuple[Images, Labels]:
    images = held[name]
    pixels = images[..., None] if images.ndim == 3 else images
    if pixels.ndim != 4 or pixels.shape[-1] not in (1, 3, 4) or not all(pixels.shape):
        raise DatasetError(
            f"{path}: {name} have shape {images.shape}; needed: N x h x w (grey) or N x h x w x C, C 1 or 3, N above 0"
        )
    if images.dtype != np.uint8 and images.dtype.kind != "f":
        raise DatasetError(f"{path}: {name} are {images.dtype}; needed: uint8 (0..255) or real numbers (0..1)")
    pixels = pixels[..., :3]  # opacity is left out, as everywhere
    try:
        pixels = pixels if pixels.dtype == np.uint8 else to_bytes(pixels)
        labels = check_labels(held[label_name], len(pixels))
    except ImageError as error:
        raise DatasetError(f"{path}: {name}: {error}") from error
    except ValueError as error:
        raise DatasetError(f"{path}: {label_name}: {error}") from error
    if names is not None and labels.max() >= len(names):
        raise DatasetError(
            f"{path}: {label_name} go up to {labels.max()}; {_NAMES} has {len(names)} entries, 0..{len(names) - 1}"
        )
    return np.ascontiguousarray(pixels), labels


def _measuring(labels: Labels, counts: Labels) -> np.ndarray:
    """Which images measure: numbers 4, 9, 14, ... of each class in the file's order, the last of a smaller class."""
    turn = np.empty(len(labels), np.int64)
    by_class = np.argsort(labels, kind="stable")
    turn[by_class] = np.concatenate([np.arange(count) for count in counts])
    small = counts[labels] < TEST_SHARE
    return np.where(small, turn == counts[labels] - 1, turn % TEST_SHARE == TEST_SHARE - 1)
