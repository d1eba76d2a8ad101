"""MNIST's file format (IDX), as MNIST, Fashion-MNIST and others come in: grey pictures with labels, gzipped or not.

A file is two zero bytes, the type of its values (8: uint8), the number of dimensions, each dimension as 32 bits
big-endian, and the values. Source: http://yann.lecun.com/exdb/mnist/, "FILE FORMATS".
"""

from __future__ import annotations

import gzip
import math
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from bvit_hw.data.datasets import Dataset, Images, Labels, no_folder
from bvit_hw.errors import DatasetError

FASHION_PACKAGE = "dataset-fashion-mnist"
#: where Debian's package of that name puts its files
FASHION_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FASHION_CLASSES = (
    "t-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot",
)  # fmt: skip

_UINT8 = 8


def _content(path: Path) -> tuple[Path, bytes]:
    """The file that is there, ``path`` or ``path``.gz, and what it holds unpacked."""
    for file in (path, path.with_name(f"{path.name}.gz")):
        try:
            raw = file.read_bytes()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise DatasetError(f"{file}: cannot be read: {error}") from error
        if not raw.startswith(b"\x1f\x8b"):
            return file, raw
        try:
            return file, gzip.decompress(raw)
        except (OSError, EOFError, zlib.error) as error:
            raise DatasetError(f"{file}: damaged gzip file: {error}") from error
    raise DatasetError(f"{path}: no such file, nor {path.name}.gz; MNIST-format data are four IDX files in one folder")


def read_idx(path: Path, dimensions: int) -> NDArray[np.uint8]:
    """The array of uint8 in an IDX file, or in ``path``.gz.

    Raises :class:`DatasetError` naming file and field for anything but an array of bytes with so many ``dimensions``.
    """
    path, raw = _content(path)
    if len(raw) < 4 or raw[:2] != b"\0\0":
        raise DatasetError(f"{path}: starts with {raw[:4].hex() or 'nothing'}; an IDX file starts with 0000")
    if raw[2] != _UINT8:
        raise DatasetError(f"{path}: type of the values is {raw[2]:#04x}; expected 0x08, bytes")
    if raw[3] != dimensions:
        raise DatasetError(f"{path}: {raw[3]} dimensions; expected {dimensions}")
    start = 4 + 4 * dimensions
    if len(raw) < start:
        raise DatasetError(f"{path}: {len(raw)} bytes, its sizes alone take {start}: truncated")
    shape = tuple(int(size) for size in np.frombuffer(raw[4:start], ">u4"))
    if len(raw) - start != math.prod(shape):
        raise DatasetError(
            f"{path}: {len(raw) - start:,} bytes of values; its sizes {shape} ask for {math.prod(shape):,}: "
            "truncated or damaged"
        )
    return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)


def _part(folder: Path, prefix: str) -> tuple[Images, Labels]:
    images = read_idx(folder / f"{prefix}-images-idx3-ubyte", 3)
    labels = read_idx(folder / f"{prefix}-labels-idx1-ubyte", 1)
    if len(images) != len(labels):
        raise DatasetError(
            f"{folder / prefix}-images-idx3-ubyte, {prefix}-labels-idx1-ubyte: {len(images):,} {prefix} images, "
            f"{len(labels):,} {prefix} labels"
        )
    if not images.size or images.shape[1] != images.shape[2]:
        raise DatasetError(
            f"{folder / prefix}-images-idx3-ubyte: {prefix} images have shape {images.shape}; expected at least one, "
            "square"
        )
    return images[..., None].copy(), labels.astype(np.int64)


def load_mnist(name: str, folder: Path, class_names: tuple[str, ...] = ()) -> Dataset:
    """MNIST-format data in ``folder``: uint8 N x S x S x 1, with the distribution's own split into train and t10k.

    Classes are 0 to the largest label of the training part, or ``class_names``. Raises :class:`DatasetError` naming the
    file that is missing, damaged, or does not agree with the others.
    """
    if not folder.is_dir():
        remedy = f" (apt install {FASHION_PACKAGE} puts it there)" if folder == FASHION_FOLDER else ""
        raise DatasetError(f"{folder}: {no_folder(folder)}; {name} is read from there{remedy}")
    train_images, train_labels = _part(folder, "train")
    test_images, test_labels = _part(folder, "t10k")
    if train_images.shape[1:] != test_images.shape[1:]:
        raise DatasetError(
            f"{folder}: training pictures are {train_images.shape[1:3]}, test pictures {test_images.shape[1:3]}"
        )
    classes = len(class_names) or int(train_labels.max()) + 1
    for part, labels in (("train", train_labels), ("t10k", test_labels)):
        if labels.max() >= classes:
            raise DatasetError(
                f"{folder / part}-labels-idx1-ubyte: a {part} label is {labels.max()}; {name} has 0..{classes - 1}"
            )
    empty = np.flatnonzero(np.bincount(train_labels, minlength=classes) == 0)
    if len(empty):
        raise DatasetError(
            f"{folder / 'train'}-labels-idx1-ubyte: no training picture of class {empty[0]}; classes are "
            f"0..{classes - 1}"
        )
    return Dataset(name, classes, train_images, train_labels, test_images, test_labels, class_names)
