"""Images to calibrate a network with, and others to measure what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.data.datasets import Images, Labels
from bvit_hw.data.folder import find_pictures, read_pictures, spread
from bvit_hw.errors import ConfigError, DatasetError
from bvit_hw.models.config import BinaryViTConfig

#: splits of an image tree that measure accuracy, and pictures to calibrate with by default
_VALIDATION = ("val", "validation", "test")
CALIBRATION_IMAGES, CHECK_IMAGES = 256, 512
#: the same for images of more than this side, which take a processor about a second each
_LARGE, _LARGE_CALIBRATION_IMAGES, _LARGE_CHECK_IMAGES = 64, 64, 128


@dataclass(frozen=True)
class CalibrationImages:
    """``images`` calibrate, ``check_images`` measure, all N x S x S x C uint8; ``labels`` of the latter where known.

    ``source`` is what they were asked for by; ``separate`` says whether no image does both.
    """

    source: str
    images: Images
    check_images: Images
    labels: Labels | None
    separate: bool


def load_calibration(
    text: str, config: BinaryViTConfig, *, limit: int | None = None, check: int | None = None
) -> CalibrationImages:
    """Images for ``config`` out of a folder, an .npz file, or a dataset as ``--data`` names it (``digits``, ...).

    At most ``limit`` images calibrate and ``check`` measure, by default fewer where the network's images are large.

    A dataset calibrates with its training split and measures on its test split. So does a folder with ``train`` and
    ``val``; any other folder's pictures are dealt to both in turn, a single picture does both. Class folders are
    labels where there are as many as the network has classes. Raises :class:`DatasetError` or :class:`ConfigError`.
    """
    large = config.image_size > _LARGE
    limit = limit or (_LARGE_CALIBRATION_IMAGES if large else CALIBRATION_IMAGES)
    check = check or (_LARGE_CHECK_IMAGES if large else CHECK_IMAGES)
    folder = Path(text).expanduser()
    if text.endswith(".npz"):
        found = _from_npz(text, limit, check)
    elif folder.is_dir() or ("/" in text and "=" not in text):
        found = _from_folder(text, folder, config, limit, check)
    else:
        found = _from_dataset(text, config, limit, check)
    size, channels = config.image_size, config.in_channels
    for images in (found.images, found.check_images):
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, channels):
            raise DatasetError(
                f"{text}: images are {images.dtype} {images.shape}; the network takes uint8 "
                f"N x {size} x {size} x {channels}"
            )
    if found.labels is not None and (found.labels.min() < 0 or found.labels.max() >= config.classes):
        raise DatasetError(
            f"{text}: labels {found.labels.min()}..{found.labels.max()}; the network has classes "
            f"0..{config.classes - 1}"
        )
    return found


def _from_npz(text: str, limit: int, check: int) -> CalibrationImages:
    try:
        with np.load(text, allow_pickle=False) as archive:
            images = archive["images"]
            labels = archive["labels"].astype(np.int64) if "labels" in archive else None
    except FileNotFoundError as error:
        raise DatasetError(f"{text}: no such file") from error
    except KeyError as error:
        raise DatasetError(f"{text}: must hold an array 'images'; {error}") from error
    except (OSError, ValueError, EOFError) as error:
        raise DatasetError(f"{text}: damaged, or no .npz file: {error}") from error
    if images.ndim != 4 or len(images) == 0 or (labels is not None and labels.shape != (len(images),)):
        shape = "no" if labels is None else labels.shape
        raise DatasetError(f"{text}: images of shape {images.shape} with {shape} labels; expected N x H x W x C and N")
    first, second = _deal(len(images), limit, check)
    return CalibrationImages(
        text, images[first], images[second], None if labels is None else labels[second], first != second
    )


def _deal(count: int, limit: int, check: int) -> tuple[list[int], list[int]]:
    """Indices that calibrate and indices that measure: every other one; a single one does both."""
    even, odd = list(range(0, count, 2)), list(range(1, count, 2)) or [0]
    return [even[i] for i in spread(len(even), limit)], [odd[i] for i in spread(len(odd), check)]


def _from_folder(text: str, folder: Path, config: BinaryViTConfig, limit: int, check: int) -> CalibrationImages:
    val = next((folder / name for name in _VALIDATION if (folder / name).is_dir()), None)
    if val is not None and (folder / "train").is_dir():
        root, first, second = val, find_pictures(folder / "train"), find_pictures(val)
        first = [first[i] for i in spread(len(first), limit)]
        second = [second[i] for i in spread(len(second), check)]
    else:
        root, files = folder, find_pictures(folder)
        dealt = _deal(len(files), limit, check)
        first, second = ([files[i] for i in part] for part in dealt)
    return CalibrationImages(
        text,
        np.concatenate(list(read_pictures(first, config))),
        np.concatenate(list(read_pictures(second, config))),
        _labels(root, second, config.classes),
        first != second,
    )


def _labels(root: Path, files: list[Path], classes: int) -> Labels | None:
    """The rank of each file's folder below ``root``, as ImageNet's labels are, if there are ``classes`` folders."""
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    parts = [file.relative_to(root).parts for file in files]
    if len(names) != classes or any(len(part) < 2 for part in parts):
        return None
    rank = {name: index for index, name in enumerate(names)}
    return np.array([rank[part[0]] for part in parts], np.int64)


def _from_dataset(text: str, config: BinaryViTConfig, limit: int, check: int) -> CalibrationImages:
    from bvit_hw.data.sources import Split, open_data

    try:
        data = open_data(text)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--data", "--calibrate")) from error

    def pick(split: Split, count: int) -> tuple[Images, Labels]:
        from bvit_hw.data.augment import evaluation_transform

        fit = evaluation_transform(config.image_size)
        found = [split[i] for i in spread(len(split), count)]
        images = np.stack([fit(image).permute(1, 2, 0).numpy() for image, _ in found])
        return np.ascontiguousarray(images), np.array([label for _, label in found], np.int64)

    images, _ = pick(data.train, limit)
    check_images, labels = pick(data.test, check)
    if data.classes != config.classes:
        return CalibrationImages(text, images, check_images, None, True)
    return CalibrationImages(text, images, check_images, labels, True)
