"""Some images of a labelled set, of all its classes: files mostly lie class by class."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bvit_hw.data.datasets import Labels
from bvit_hw.data.folder import spread

#: images that a build simulates unless told otherwise
_BEGINNING = 32
#: the shortest beginning that is looked at, and how many images a class may have in one while others have none
_SHORTEST, _SHARE = 8, 4


def _mixed(labels: Labels) -> bool:
    """Whether every beginning of some labels holds many classes, and that of 32 all of them, none much too rarely."""
    if not np.any(np.diff(labels) < 0):
        return False
    classes, beginning = len(np.unique(labels)), labels[:_BEGINNING]
    seen = np.unique(beginning, return_counts=True)[1]
    if len(seen) < min(classes, len(beginning)) or 4 * seen.min() < len(beginning) // classes:
        return False
    count = _SHORTEST
    while count < len(labels):
        if len(np.unique(labels[:count])) < min(classes, count // _SHARE):
            return False
        count *= 2
    return True


def spread_classes(labels: Labels) -> NDArray[np.int64]:
    """An order of labelled images whose beginning, however long, holds all classes as evenly as can be.

    It is their own where that is mixed already: where the first 32 hold every class, none of them much too rarely (all
    32 different, where there are more classes), and other beginnings hold a class for every four images.
    """
    if not len(labels) or _mixed(labels):
        return np.arange(len(labels))
    by_class = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    turn = np.concatenate([np.arange(size) for size in sizes])  # how many of its class come before it
    return by_class[np.argsort(turn, kind="stable")]


def sample(labels: Labels, limit: int | None) -> NDArray[np.int64]:
    """At most ``limit`` of labelled images to measure with, in their own order: the first ones where they are mixed.

    Otherwise each class has its share, and one image at least where ``limit`` allows that; evenly spread in the class.
    """
    count = len(labels)
    if limit is None or limit >= count:
        return np.arange(count)
    if _mixed(labels):
        return np.arange(limit)
    by_class = np.argsort(labels, kind="stable")
    sizes = np.unique(labels, return_counts=True)[1]
    first = np.cumsum(sizes) - sizes
    if limit < len(sizes):
        return np.sort(by_class[first[spread(len(sizes), limit)]])
    exact = sizes * limit / count
    quota = np.maximum(1, exact.astype(np.int64))
    while quota.sum() > limit:  # rare classes took more than their share
        quota[np.argmax(quota)] -= 1
    quota[np.argsort(quota - exact, kind="stable")[: limit - quota.sum()]] += 1
    parts = [by_class[f + np.array(spread(int(size), int(q)))] for f, size, q in zip(first, sizes, quota, strict=True)]
    return np.sort(np.concatenate(parts))
