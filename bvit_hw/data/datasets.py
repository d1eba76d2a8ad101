"""Image datasets as uint8 arrays with a fixed split, by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bvit_hw.errors import ConfigError

Images = NDArray[np.uint8]
Labels = NDArray[np.int64]


@dataclass(frozen=True)
class Dataset:
    """A dataset split once and for all; images N x H x W x C uint8, labels N int64 in 0..classes-1."""

    name: str
    classes: int
    train_images: Images
    train_labels: Labels
    test_images: Images
    test_labels: Labels
    class_names: tuple[str, ...] = ()

    def names(self) -> tuple[str, ...]:
        """The classes' names; their numbers where the dataset has none."""
        return self.class_names or tuple(map(str, range(self.classes)))


def path_of(text: str | Path) -> Path:
    """The file or folder of that name, ``~`` resolved; a name that none can have raises :class:`ConfigError`."""
    try:
        path = Path(text).expanduser()
        path.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise ConfigError(f"{str(text)[:200]!r} cannot be a file or folder: {error}") from error
    return path


def no_folder(folder: Path) -> str:
    """In what way ``folder`` is no folder, in words."""
    return "is no folder" if folder.exists() else "no such folder"


def normalize(images: Images, mean: Sequence[float], std: Sequence[float]) -> Tensor:
    """Pixels N x H x W x C (0..255) as the float32 tensor N x C x H x W that a model takes: (x / 255 - mean) / std."""
    pixels = torch.from_numpy(np.ascontiguousarray(images)).permute(0, 3, 1, 2).to(torch.float32) / 255
    shape = (1, -1, 1, 1)
    return (pixels - torch.tensor(mean).view(shape)) / torch.tensor(std).view(shape)


def load_dataset(name: str) -> Dataset:
    """The dataset called ``name``; an unknown name raises :class:`ConfigError` listing the known ones."""
    try:
        loader = DATASETS[name]
    except KeyError:
        raise ConfigError(f"dataset {name!r} is unknown; allowed: {', '.join(DATASETS)}") from None
    return loader()


def _load_digits() -> Dataset:
    # Imported here: datasets bring their own heavy dependencies.
    from bvit_hw.data.digits import load_digits

    return load_digits()


DATASETS: dict[str, Callable[[], Dataset]] = {"digits": _load_digits}
