"""Labelled images in .npz files: one reader and one check of labels for `run`, `evaluate`, builds and calibration."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.data.calibration import load_calibration
from bvit_hw.data.labelled import load_images
from bvit_hw.errors import DatasetError
from bvit_hw.runtime import ImageError, load_pictures
from bvit_hw.runtime.labels import check_labels
from tests.frozen_factory import CONFIGS

CONFIG = CONFIGS["plain"]  # 12 x 12 x 3, 3 classes
IMAGES = np.random.default_rng(0).integers(0, 256, (4, 12, 12, 3), np.uint8)
READERS: dict[str, Callable[[Path], object]] = {
    "run": load_pictures,
    "evaluate": lambda path: load_images(str(path), CONFIG),
    "calibrate": lambda path: load_calibration(str(path), CONFIG),
}


def packed(**arrays: object) -> bytes:
    stream = io.BytesIO()
    np.savez(stream, **arrays)  # type: ignore[arg-type]
    return stream.getvalue()


def single() -> bytes:
    stream = io.BytesIO()
    np.save(stream, IMAGES)
    return stream.getvalue()


WHOLE = packed(images=IMAGES, labels=np.arange(4) % 3)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "damaged, or no .npz"),
        (b"some text", "damaged, or no .npz file: holds Python objects, or none of NumPy's formats"),
        (WHOLE[: len(WHOLE) // 2], "damaged, or no .npz"),
        (WHOLE[:300] + bytes(40) + WHOLE[340:], "damaged, or no .npz"),
        (single(), "holds a single array"),
        (packed(pictures=IMAGES), "'images' is missing, found pictures"),
        (packed(images=np.array([None, 1], object), labels=np.zeros(2, int)), "damaged, or no .npz"),
        (packed(images=IMAGES.astype("U3"), labels=np.zeros(4, int)), "images are <U3"),
        (packed(images=IMAGES[:0], labels=np.zeros(0, int)), "images"),
        (packed(images=IMAGES[0, 0, 0], labels=np.zeros(3, int)), r"images .*\(3,\)"),
    ],
)
def test_files_that_are_no_archives(tmp_path: Path, reader: str, content: bytes, words: str) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(content)
    with pytest.raises((ImageError, DatasetError), match=words) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("reader", READERS)
@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (np.zeros((4, 1), int), r"labels\[:, 0\]"),
        (np.eye(4, 3), "argmax"),
        (np.array([0, 1, 2, 0.5]), "label 0.5 of image 3"),
        (np.array([0, np.nan, 2, 0]), "label nan of image 1"),
        (np.array([0, np.inf, 2, 0]), "label inf of image 1"),
        (np.array([0, 1, -1, 0]), r"labels -1\.\.1"),
        (np.array([0, 1, 2**63, 0], np.uint64), "label 9223372036854775808 of image 2"),
        (np.zeros(3, int), "4 images with 3 labels"),
        (np.array(["a", "b", "c", "a"]), "labels are <U1"),
        (np.zeros(4, bool), "labels are bool"),
        (np.array(2), r"labels are int64 \(\)"),
    ],
)
def test_labels_that_are_none(tmp_path: Path, reader: str, labels: np.ndarray, words: str) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(packed(images=IMAGES, labels=labels))
    with pytest.raises((ImageError, DatasetError), match=words) as caught:
        READERS[reader](path)
    assert str(path) in str(caught.value)


def test_labels_beyond_the_networks_classes(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(packed(images=IMAGES, labels=np.array([0, 1, 2, 3])))
    for reader in ("evaluate", "calibrate"):
        with pytest.raises(DatasetError, match=r"labels 0\.\.3; the network has classes 0\.\.2"):
            READERS[reader](path)
    with pytest.raises(ValueError, match=r"0\.\.3; .* 0\.\.2"):
        check_labels(load_pictures(path).labels, 4, 3)


def test_whole_numbers_of_any_type_are_labels(tmp_path: Path) -> None:
    for kind in (np.uint8, np.int16, np.float32, np.uint64):
        path = tmp_path / "SET.NPZ"
        path.write_bytes(packed(images=IMAGES, labels=np.array([2, 0, 1, 2], kind)))
        assert load_pictures(path).labels.tolist() == [2, 0, 1, 2]  # type: ignore[union-attr]
        assert load_images(str(path), CONFIG).labels.tolist() == [2, 0, 1, 2]  # type: ignore[union-attr]
