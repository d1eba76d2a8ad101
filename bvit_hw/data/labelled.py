"""Images as a network takes them, with labels in the network's own class numbers: what accuracy is measured on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from torch.utils.data import Subset

from bvit_hw.data.archive import archive_names, has_test_part, load_archive
from bvit_hw.data.choice import sample
from bvit_hw.data.classes import Relabelled, match_classes, numbered, open_matched, other_data
from bvit_hw.data.datasets import Images, Labels
from bvit_hw.data.record import DataRecord, default_preprocessing, lasting
from bvit_hw.data.sources import Split, evaluation_images, open_data
from bvit_hw.errors import DatasetError
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.runtime.labels import check_labels


@dataclass(frozen=True)
class LabelledImages:
    """Images N x H x W x C uint8, labels N int64 (None: generated images), where they come from, and what to know."""

    source: str
    images: Images
    labels: Labels | None
    class_names: tuple[str, ...]
    notes: tuple[str, ...] = ()


def accuracy_of(predictions: Labels, labels: Labels | None) -> float | None:
    """Share of right predictions, 0..1; None without labels."""
    return None if labels is None else float(np.mean(predictions == labels))


def load_images(
    data: str, config: BinaryViTConfig, record: DataRecord | None = None, most: int | None = None
) -> LabelledImages:
    """The test split of a data set, or an .npz file with ``images`` (uint8 N x H x W x C) and ``labels`` (N).

    An .npz file with a test part, or the very one that the network was trained on, is a data set.
    Labels are the network's class numbers, told by the names in ``record``. Of data that are not in memory at the
    network's size at most ``most`` are taken, of all classes. Raises :class:`DatasetError` where there is no such
    data, or where images, labels or classes do not fit the network.
    """
    record = record or DataRecord(default_preprocessing(config))
    if _is_archive(data, record):
        images, labels, notes = _archive(data, config, record)
        return LabelledImages(data, images, labels, class_names_of(config, record, archive_names(data) or ()), notes)
    matched = open_matched(data, record, config.classes)
    part: Split = matched.test
    if most is not None and open_data(data).size != config.image_size:
        part = _some(matched.test, most)
    batches = list(_batches(data, part, config, record, 256))
    images, labels = (np.concatenate([batch[i] for batch in batches]) for i in (0, 1))
    return LabelledImages(data, images, labels, class_names_of(config, record, matched.class_names), matched.notes)


def image_batches(
    data: str, config: BinaryViTConfig, batch_size: int, limit: int | None = None, record: DataRecord | None = None
) -> Iterator[tuple[Images, Labels]]:
    """The images and labels of :func:`load_images` in batches, in order; at most ``limit`` of them, of all classes."""
    record = record or DataRecord(default_preprocessing(config))
    if not _is_archive(data, record):
        part = _some(open_matched(data, record, config.classes).test, limit)
        yield from _batches(data, part, config, record, batch_size)
        return
    images, labels, _ = _archive(data, config, record)
    chosen = sample(labels, limit)
    for start in range(0, len(chosen), batch_size):
        batch = chosen[start : start + batch_size]
        yield images[batch], labels[batch]


def _some(split: Relabelled, most: int | None) -> Split:
    """A split, or ``most`` of its pictures, of all classes."""
    if most is None or most >= len(split):
        return split
    return Subset(split, sample(split.labels, most).tolist())  # type: ignore[arg-type,return-value]


def survey(data: str, config: BinaryViTConfig, record: DataRecord) -> tuple[int, tuple[str, ...]]:
    """How many test images ``data`` has for a network of ``config``, and notes for the user; nothing is decoded yet.

    Raises :class:`DatasetError` as :func:`load_images` does, as far as can be told without reading every picture.
    """
    if _is_archive(data, record):
        images, _, notes = _archive(data, config, record)
        return len(images), notes
    matched = open_matched(data, record, config.classes)
    return len(matched.test), matched.notes


def class_names_of(config: BinaryViTConfig, record: DataRecord, names: tuple[str, ...] = ()) -> tuple[str, ...]:
    """The network's classes by number: the checkpoint's names, the data's where it has none, else the numbers."""
    found = record.class_names or names
    return found if len(found) == config.classes else tuple(map(str, range(config.classes)))


def generated_images(config: BinaryViTConfig, count: int) -> LabelledImages:
    """Pictures of nothing for ``config``: smooth random colours and noise, the same every time; no labels."""
    random = np.random.default_rng(20_261_126)
    side, coarse = config.image_size, max(2, config.image_size // 4)
    rough = random.uniform(0, 255, (count, coarse, coarse, config.in_channels))
    place = np.minimum(np.arange(side) * coarse // side, coarse - 1)
    pixels = rough[:, place][:, :, place] + random.normal(0, 24, (count, side, side, config.in_channels))
    images = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    return LabelledImages("generated images", images, None, tuple(map(str, range(config.classes))))


def _is_archive(data: str, record: DataRecord) -> bool:
    """Whether all of an .npz file is to measure on."""
    if not data.lower().endswith(".npz"):
        return False
    return lasting(data) != record.dataset and not has_test_part(data)


def _archive(data: str, config: BinaryViTConfig, record: DataRecord) -> tuple[Images, Labels, tuple[str, ...]]:
    """Images, labels in the network's numbers, and notes; classes that the file names are told by their names."""
    images, labels = load_archive(data, config, converts=record.converts)
    assert labels is not None
    notes = other_data(data, record)
    names = archive_names(data)
    if names is None:
        return images, labels, notes + numbered(data, np.unique(labels).tolist(), record)
    try:
        labels = check_labels(labels, len(images), len(names))
    except ValueError as error:
        raise DatasetError(f"{data}: {error} (class_names has {len(names)} entries)") from error
    table, more = match_classes(data, names, record, config.classes)
    return images, table[labels], notes + more


def _batches(
    data: str, split: Split, config: BinaryViTConfig, record: DataRecord, batch_size: int
) -> Iterator[tuple[Images, Labels]]:
    size, channels = config.image_size, config.in_channels
    for images, labels in evaluation_images(split, record.preprocessing, batch_size):
        if images.dtype != np.uint8 or images.shape[1:] != (size, size, channels):
            raise DatasetError(
                f"{data}: images are {images.dtype} {images.shape}; the network takes uint8 "
                f"N x {size} x {size} x {channels}"
            )
        try:
            yield images, check_labels(labels, len(images), config.classes)
        except ValueError as error:
            raise DatasetError(f"{data}: {error}") from error
