"""Datasets by what the command line says: ``digits``, ``cifar10=DIR``, ``imagenet=DIR``, ``DIR``, ``FILE.npz``, ..."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import numpy as np
import torch
from torch import Tensor

from bvit_hw.data.archive import open_archive
from bvit_hw.data.cifar import CIFAR_NAMES, load_cifar
from bvit_hw.data.datasets import DATASETS, Dataset, Images, Labels, load_dataset, path_of
from bvit_hw.data.mnist import FASHION_CLASSES, FASHION_FOLDER, load_mnist
from bvit_hw.errors import ConfigError

if TYPE_CHECKING:
    from PIL.Image import Image

    from bvit_hw.runtime.preprocess import Preprocessing

#: MNIST's file format; Fashion-MNIST is found where Debian puts it
_MNIST_NAMES = ("mnist", "fashion-mnist")
KINDS = ("digits", *CIFAR_NAMES, *_MNIST_NAMES, "imagenet")


class Split(Protocol):
    """Labelled pictures by index; a picture is a PIL image or a uint8 tensor C x H x W."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> tuple[Image | Tensor, int]: ...


@dataclass(frozen=True)
class ArraySplit:
    """Pictures that fit in memory: ``images`` N x H x W x C uint8, ``labels`` N."""

    images: Images
    labels: Labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return torch.from_numpy(self.images[index]).permute(2, 0, 1), int(self.labels[index])


def labels_of(split: Split) -> Labels:
    """The labels of a data set's split, without its pictures."""
    found = split.labels if isinstance(split, ArraySplit) else split.targets  # type: ignore[attr-defined]  # a tree's
    return np.asarray(found, np.int64)


@dataclass(frozen=True)
class ImageData:
    """A dataset's two splits; ``size`` is the side of its pictures where all have one, ``arrays`` where in memory."""

    name: str
    class_names: tuple[str, ...]
    train: Split
    test: Split
    size: int | None = None
    arrays: Dataset | None = None
    #: 3: coloured (some of them, at least), 1: grey
    channels: int = 3

    @property
    def classes(self) -> int:
        """Number of classes; labels are 0..classes-1."""
        return len(self.class_names)


def data_of_arrays(dataset: Dataset) -> ImageData:
    """Pictures that are in memory, N x H x W x C, as a source for training."""
    height, width, channels = dataset.train_images.shape[1:]
    return ImageData(
        dataset.name,
        dataset.names(),
        ArraySplit(dataset.train_images, dataset.train_labels),
        ArraySplit(dataset.test_images, dataset.test_labels),
        height if height == width else None,
        dataset,
        channels,
    )


def is_dir(text: str) -> bool:
    """Whether a folder of that name is there; a name that no folder can have raises :class:`ConfigError`."""
    try:
        return Path(text).expanduser().is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"--data {text[:200]}: cannot be a folder: {error}") from error


def parse_data(text: str) -> tuple[str, Path | None]:
    """Kind (a name of :data:`DATASETS` or :data:`KINDS`, ``tree`` or ``npz``) and folder or file in ``--data``.

    Raises :class:`ConfigError` for anything else; whether the folder exists is not looked at, unless it must tell a
    folder from a misspelt name.
    """
    kind, equals, folder = text.partition("=")
    if text in DATASETS:
        return text, None
    if not text.strip():
        raise ConfigError(f"--data {text!r}: empty; a data set or a folder is expected")
    if equals and kind in (*CIFAR_NAMES, *_MNIST_NAMES, "imagenet"):
        if not folder:
            raise ConfigError(f"--data {text}: a folder must follow, as in {kind}=DIR")
        is_dir(folder)
        return kind, Path(folder).expanduser()
    if text.lower().endswith(".npz"):
        return "npz", path_of(text)
    is_folder = is_dir(text)
    if is_folder or ("/" in text and kind not in KINDS):
        return "tree", Path(text).expanduser()
    if text == "fashion-mnist":
        return text, FASHION_FOLDER
    if kind in KINDS:
        hint = "takes no folder" if equals else f"needs a folder: {kind}=DIR"
        raise ConfigError(f"--data {text}: {kind} {hint}")
    folders = (*CIFAR_NAMES, *_MNIST_NAMES, "imagenet")
    known = ", ".join((*DATASETS, "fashion-mnist", *(f"{name}=DIR" for name in folders)))
    raise ConfigError(
        f"--data {text}: neither a folder nor a known dataset; allowed: {known}, DIR with train/, val/, FILE.npz"
    )


def open_data(text: str, *, download: bool = False) -> ImageData:
    """The dataset that ``--data text`` names; only with ``download``, and only for CIFAR, anything is fetched.

    Raises :class:`ConfigError` for a text that names nothing, :class:`DatasetError` naming the file for data that are
    missing or damaged.
    """
    kind, folder = parse_data(text)
    if folder is None:
        return data_of_arrays(load_dataset(kind))
    if kind in CIFAR_NAMES:
        return data_of_arrays(load_cifar(kind, folder, download=download))
    if kind in _MNIST_NAMES:
        return data_of_arrays(load_mnist(kind, folder, FASHION_CLASSES if kind == "fashion-mnist" else ()))
    if kind == "npz":
        return data_of_arrays(open_archive(folder))
    # torchvision takes its time to import, and digits do without.
    from bvit_hw.data.tree import open_tree

    train, test, channels = open_tree(folder)
    return ImageData(text, tuple(train.classes), train, test, channels=channels)


def evaluation_images(split: Split, how: Preprocessing | int, batch_size: int) -> Iterator[tuple[Images, Labels]]:
    """A split in its own order as batches of uint8 N x H x W x C and labels, prepared as ``how`` says.

    A number stands for square pictures of that side, prepared by the defaults.
    """
    from bvit_hw.data.augment import evaluation_transform

    transform = evaluation_transform(how)
    for start in range(0, len(split), batch_size):
        found = [split[i] for i in range(start, min(start + batch_size, len(split)))]
        pixels = torch.stack([transform(image) for image, _ in found]).permute(0, 2, 3, 1)
        yield np.ascontiguousarray(pixels.numpy()), np.array([label for _, label in found], np.int64)
