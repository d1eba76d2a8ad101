"""Images to calibrate a network with, and others to measure what that changed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.data.archive import load_archive
from bvit_hw.data.classes import match_classes
from bvit_hw.data.datasets import Images, Labels
from bvit_hw.data.folder import find_pictures, read_pictures, spread
from bvit_hw.data.record import DataRecord, default_preprocessing
from bvit_hw.data.sources import Split, evaluation_images, is_dir, open_data
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
    text: str,
    config: BinaryViTConfig,
    *,
    limit: int | None = None,
    record: DataRecord | None = None,
) -> CalibrationImages:
    """Images for ``config`` out of a folder, an .npz file, or a dataset as ``--data`` names it (``digits``, ...).

    At most ``limit`` images calibrate; by default, as with those that measure, fewer where the network's are large.

    A dataset calibrates with its training split and measures on its test split. So does a folder with ``train`` and
    ``val``; any other folder's pictures are dealt to both in turn, a single picture does both. Class folders are
    labels where they have the names of the checkpoint's ``record``, or, where that has none, are as many as the
    network has classes. Raises :class:`DatasetError` or :class:`ConfigError`.
    """
    record = record or DataRecord(default_preprocessing(config))
    large = config.image_size > _LARGE
    limit = limit or (_LARGE_CALIBRATION_IMAGES if large else CALIBRATION_IMAGES)
    check = _LARGE_CHECK_IMAGES if large else CHECK_IMAGES
    if text.lower().endswith(".npz"):
        found = _from_npz(text, config, record, limit, check)
    elif is_dir(text) or ("/" in text and "=" not in text):
        found = _from_folder(text, Path(text).expanduser(), config, record, limit, check)
    else:
        found = _from_dataset(text, config, record, limit, check)
    size, channels = config.image_size, config.in_channels
    for images in (found.images, found.check_images):
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, channels):
            raise DatasetError(
                f"{text}: images are {images.dtype} {images.shape}; the network takes uint8 "
                f"N x {size} x {size} x {channels}"
            )
    return found


def _from_npz(
    text: str, config: BinaryViTConfig, record: DataRecord, limit: int, check: int
) -> CalibrationImages:
    images, labels = load_archive(text, config, labelled=False, converts=record.converts)
    first, second = _deal(len(images), limit, check)
    return CalibrationImages(
        text, images[first], images[second], None if labels is None else labels[second], first != second
    )


def _deal(count: int, limit: int, check: int) -> tuple[list[int], list[int]]:
    """Indices that calibrate and indices that measure: every other one; a single one does both."""
    even, odd = list(range(0, count, 2)), list(range(1, count, 2)) or [0]
    return [even[i] for i in spread(len(even), limit)], [odd[i] for i in spread(len(odd), check)]


def _from_folder(
    text: str, folder: Path, config: BinaryViTConfig, record: DataRecord, limit: int, check: int
) -> CalibrationImages:
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
        np.concatenate(list(read_pictures(first, record.preprocessing))),
        np.concatenate(list(read_pictures(second, record.preprocessing))),
        _labels(root, second, config.classes, record),
        first != second,
    )


def _labels(root: Path, files: list[Path], classes: int, record: DataRecord) -> Labels | None:
    """The class of each file's folder below ``root``: by name, or by rank, as ImageNet's labels are; None: unknown."""
    names = sorted(entry.name for entry in root.iterdir() if entry.is_dir())
    parts = [file.relative_to(root).parts for file in files]
    if any(len(part) < 2 for part in parts):
        return None
    known = record.class_names
    if (known is not None and not set(names) <= set(known)) or (known is None and len(names) != classes):
        return None
    rank = {name: index for index, name in enumerate(known or names)}
    return np.array([rank[part[0]] for part in parts], np.int64)


def _from_dataset(text: str, config: BinaryViTConfig, record: DataRecord, limit: int, check: int) -> CalibrationImages:
    try:
        data = open_data(text)
    except ConfigError as error:
        raise ConfigError(str(error).replace("--data", "--calibrate")) from error

    def pick(split: Split, count: int) -> tuple[Images, Labels]:
        from torch.utils.data import Subset

        part = Subset(split, spread(len(split), count))  # type: ignore[arg-type,var-annotated]
        batches = list(evaluation_images(part, record.preprocessing, 64))
        return np.concatenate([images for images, _ in batches]), np.concatenate([labels for _, labels in batches])

    images, _ = pick(data.train, limit)
    check_images, labels = pick(data.test, check)
    try:
        table, _ = match_classes(text, data.class_names, record, config.classes)
    except DatasetError:  # other classes calibrate as well; there is no accuracy then
        return CalibrationImages(text, images, check_images, None, True)
    return CalibrationImages(text, images, check_images, table[labels], True)
