"""Which of a network's classes each class of some data is: by name, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bvit_hw.data.archive import other_colours
from bvit_hw.data.datasets import Labels
from bvit_hw.data.record import DataRecord, kind_of, lasting
from bvit_hw.data.sources import Split, labels_of, open_data
from bvit_hw.errors import DatasetError

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class Relabelled:
    """A split whose labels are the network's classes."""

    split: Split
    table: Labels

    def __len__(self) -> int:
        return len(self.split)

    @property
    def labels(self) -> Labels:
        """All labels, without the pictures."""
        return np.asarray(self.table[labels_of(self.split)], np.int64)

    def __getitem__(self, index: int) -> tuple[Image | Tensor, int]:
        image, label = self.split[index]
        return image, int(self.table[label])


@dataclass(frozen=True)
class MatchedData:
    """Both splits of some data with labels of the network, its classes' names, and what the user is to know of it."""

    name: str
    train: Relabelled
    test: Relabelled
    class_names: tuple[str, ...]
    notes: tuple[str, ...]


def _some(names: list[str]) -> str:
    return ", ".join(names[:4]) + (f" and {len(names) - 4} more" if len(names) > 4 else "")


def numbered(data: str, found: Sequence[int], record: DataRecord) -> tuple[str, ...]:
    """A note where the labels ``found`` of an .npz file without names are taken as classes that have names."""
    known = record.class_names or ()
    if known == tuple(map(str, range(len(known)))):
        return ()
    taken = _some([f"{label} is {known[label]}" for label in found])
    return (f"{data} names no classes: its labels are taken as the network's numbers, of which it has {len(found)} of "
            f"{len(known)} ({taken})",)  # fmt: skip


def match_classes(
    data: str, names: tuple[str, ...], record: DataRecord, classes: int
) -> tuple[Labels, tuple[str, ...]]:
    """For each class of ``data`` the network's, and notes for the user; DatasetError where there is no telling.

    ``names`` are the data's, in the order of its labels. A class goes to that of the same name. Where the checkpoint
    names none, or the data are of the kind it was trained on, whose labels are numbers by themselves (CIFAR, MNIST),
    labels are taken as they are, if there are as many. Those of an .npz file without names are the network's numbers.
    """
    known = record.class_names
    kind = kind_of(data)
    if kind == "npz" and names == tuple(map(str, range(len(names)))) and len(names) <= classes:
        return np.arange(len(names)), numbered(data, range(len(names)), record)
    by_number = (
        kind not in ("tree", "imagenet", "npz") and record.dataset is not None and kind == kind_of(record.dataset)
    )
    if known is None or (by_number and len(names) == classes):
        if len(names) != classes:
            raise DatasetError(
                f"{data}: {len(names)} classes ({_some(list(names))}); the network has {classes}, and its checkpoint "
                "does not name them, so that none can be matched"
            )
        note = "the checkpoint names no classes: those of the data are taken in their order"
        return np.arange(classes), (note,) if known is None and not by_number else ()
    foreign = [name for name in names if name not in known]
    if foreign:
        raise DatasetError(
            f"{data}: {len(foreign)} of its {len(names)} classes are none of the network's: {_some(foreign)}. It was "
            f"trained on {record.dataset or 'data unknown'}, {classes} classes: {_some(list(known))}"
        )
    note = f"{data} has {len(names)} of the network's {classes} classes, matched by name"
    place = {name: index for index, name in enumerate(known)}
    return np.array([place[name] for name in names], np.int64), (note,) if len(names) != classes else ()


def other_data(data: str, record: DataRecord) -> tuple[str, ...]:
    """A note where a network is measured on other data than the checkpoint names."""
    if record.dataset is None or data == record.dataset or lasting(data) == record.dataset:
        return ()
    kinds = kind_of(data), kind_of(record.dataset)
    if kinds[0] == kinds[1] and kinds[0] not in ("tree", "npz"):
        return ()
    return (f"the network was trained on {record.dataset}; this is measured on {data}",)


def open_matched(data: str, record: DataRecord, classes: int) -> MatchedData:
    """What ``--data data`` names, with the labels of a network of ``classes`` classes; see :func:`match_classes`."""
    opened = open_data(data)
    table, notes = match_classes(data, opened.class_names, record, classes)
    names = record.class_names or opened.class_names
    wanted = record.preprocessing.channels
    # A network that was trained on converted pictures is measured on them.
    if opened.channels != wanted and lasting(data) != record.dataset:
        kind = {1: "grey", 3: "coloured"}[opened.channels]
        if not record.converts:
            raise other_colours(data, wanted)
        notes += (f"{data}: {kind} pictures, converted for a network of {wanted} channels",)
    return MatchedData(
        data, Relabelled(opened.train, table), Relabelled(opened.test, table), names, other_data(data, record) + notes
    )
