"""The one check of labels, for every reader: a class number for each image, or an error that says what is there."""

from __future__ import annotations

import numpy as np


def check_labels(labels: object, images: int, classes: int | None = None) -> np.ndarray:
    """Labels as int64 of shape (images,): whole numbers from 0 on, below ``classes`` where that is known.

    Integers, and reals that are whole, of shape (N,) are taken; N x 1, one-hot and all else raise ValueError, whose
    text begins with what was given.
    """
    if np.ma.is_masked(labels):
        raise ValueError("labels are masked in part; every image needs one")
    given = np.asarray(labels)
    if given.ndim != 1 or given.dtype.kind not in "iuf":
        hint = ""
        if given.ndim == 2 and given.shape[1] == 1:
            hint = "; leave out the second axis (labels[:, 0])"
        elif given.ndim == 2 and given.dtype.kind in "iufb":
            hint = "; of one-hot labels take labels.argmax(axis=1)"
        raise ValueError(
            f"labels are {given.dtype} {given.shape}; they must be one whole number an image, a class each, of shape "
            f"({images},){hint}"
        )
    if len(given) != images:
        raise ValueError(f"{images} images with {len(given)} labels")
    with np.errstate(invalid="ignore"):
        whole = given.astype(np.int64)
    wrong = np.flatnonzero(whole != given)
    if len(wrong):
        raise ValueError(f"label {given[wrong[0]]} of image {wrong[0]} is no class number")
    if len(whole) and (whole.min() < 0 or (classes is not None and whole.max() >= classes)):
        allowed = "from 0 on" if classes is None else f"0..{classes - 1}"
        raise ValueError(f"labels {whole.min()}..{whole.max()}; the network has classes {allowed}")
    return whole
