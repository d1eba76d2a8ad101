"""CIFAR-10 and CIFAR-100 in their binary distribution: records of label bytes and 3,072 pixel bytes.

The other two distributions are Python pickles and MATLAB files; pickles are never loaded here. A record is one label
(CIFAR-10) or coarse and fine label (CIFAR-100), then 32 x 32 red, green and blue planes in raster order.
Source: https://www.cs.toronto.edu/~kriz/cifar.html.
"""

from __future__ import annotations

import fcntl
import logging
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw.data.datasets import Dataset, Images, Labels, no_folder
from bvit_hw.errors import DatasetError

log = logging.getLogger(__name__)

_SIDE = 32
_PIXELS = 3 * _SIDE * _SIDE


@dataclass(frozen=True)
class _Layout:
    """One of the two distributions: where its archive is, what lies in it, how many records a file holds."""

    name: str
    classes: int
    label_bytes: int
    folder: str
    train_files: tuple[str, ...]
    test_file: str
    train_records: int
    test_records: int
    names_file: str
    url: str
    md5: str

    @property
    def record(self) -> int:
        return self.label_bytes + _PIXELS


_LAYOUTS = {
    "cifar10": _Layout(
        "cifar10",
        10,
        1,
        "cifar-10-batches-bin",
        tuple(f"data_batch_{i}.bin" for i in range(1, 6)),
        "test_batch.bin",
        10_000,
        10_000,
        "batches.meta.txt",
        "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
        "c32a1d4ab5d03f1284b67883e8d87530",
    ),
    "cifar100": _Layout(
        "cifar100",
        100,
        2,
        "cifar-100-binary",
        ("train.bin",),
        "test.bin",
        50_000,
        10_000,
        "fine_label_names.txt",
        "https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz",
        "03b5dce01913d631647c71ecec9e9cb8",
    ),
}
CIFAR_NAMES = tuple(_LAYOUTS)


def _read(path: Path, layout: _Layout, records: int) -> tuple[Images, Labels]:
    """Images N x 32 x 32 x 3 and labels N of one file; anything but whole records with known labels is an error."""
    try:
        raw = np.fromfile(path, np.uint8)
    except FileNotFoundError:
        raise DatasetError(
            f"{path}: no such file; {layout.name} is read from its binary distribution (--download gets it)"
        ) from None
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read: {error}") from error
    if len(raw) == 0 or len(raw) % layout.record:
        raise DatasetError(
            f"{path}: {len(raw):,} bytes; {layout.name} has records of {layout.record:,} bytes, {records:,} in this "
            f"file ({records * layout.record:,} bytes): truncated, or another format"
        )
    table = raw.reshape(-1, layout.record)
    labels = table[:, layout.label_bytes - 1].astype(np.int64)
    bad = np.flatnonzero(labels >= layout.classes)
    if len(bad):
        raise DatasetError(
            f"{path}: record {bad[0]} has label {labels[bad[0]]}; {layout.name} has 0..{layout.classes - 1}: damaged"
        )
    if len(table) != records:
        log.warning("%s: %s images; the distribution has %s", path, f"{len(table):,}", f"{records:,}")
    images = table[:, layout.label_bytes :].reshape(-1, 3, _SIDE, _SIDE).transpose(0, 2, 3, 1)
    return np.ascontiguousarray(images), labels


def _class_names(path: Path, classes: int) -> tuple[str, ...]:
    """The distribution's class names, where its text file is there and complete; else the numbers."""
    try:
        names = tuple(line.strip() for line in path.read_text().splitlines() if line.strip())
    except (OSError, UnicodeDecodeError):
        names = ()
    return names if len(names) == classes else tuple(map(str, range(classes)))


def _download(layout: _Layout, folder: Path) -> None:
    from torchvision.datasets.utils import download_and_extract_archive

    try:
        folder.mkdir(parents=True, exist_ok=True)
        # Processes that train together all come here; the first fetches.
        with (folder / ".download.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not (folder / layout.folder / layout.test_file).exists():
                download_and_extract_archive(layout.url, str(folder), md5=layout.md5)
    except (OSError, RuntimeError) as error:
        raise DatasetError(f"{layout.name}: {layout.url} cannot be fetched into {folder}: {error}") from error


def load_cifar(name: str, folder: Path, *, download: bool = False) -> Dataset:
    """``cifar10`` or ``cifar100`` from ``folder`` (the archive's own folder, or the one it lies in).

    With ``download`` a missing archive is fetched into ``folder`` and checked against its published MD5. Raises
    :class:`DatasetError` naming the file that is missing, truncated or holds an impossible label.
    """
    layout = _LAYOUTS[name]

    def home() -> Path:
        return folder / layout.folder if (folder / layout.folder).is_dir() else folder

    if download and not (home() / layout.test_file).exists():
        _download(layout, folder)
    if not folder.is_dir():
        raise DatasetError(f"{folder}: {no_folder(folder)}; {layout.name} is read from there (--download gets it)")
    parts = [_read(home() / file, layout, layout.train_records) for file in layout.train_files]
    sizes = {len(labels) for _, labels in parts}
    if len(sizes) > 1:
        counts = ", ".join(
            f"{file}: {len(labels):,}" for file, (_, labels) in zip(layout.train_files, parts, strict=True)
        )
        raise DatasetError(f"{home()}: training files of different lengths ({counts}): one is incomplete")
    test_images, test_labels = _read(home() / layout.test_file, layout, layout.test_records)
    images = np.concatenate([images for images, _ in parts])
    labels = np.concatenate([labels for _, labels in parts])
    empty = np.flatnonzero(np.bincount(labels, minlength=layout.classes) == 0)
    if len(empty) and len(labels) >= layout.classes:  # fewer records cannot hold every class; they were warned of
        raise DatasetError(
            f"{home()}: {', '.join(layout.train_files)}: no record has label {empty[0]}; {layout.name} has "
            f"0..{layout.classes - 1}"
        )
    names = _class_names(home() / layout.names_file, layout.classes)
    return Dataset(name, layout.classes, images, labels, test_images, test_labels, names)
