"""Archives of images that are wrong in unlikely ways: one sentence each, never a traceback."""

from __future__ import annotations

import errno
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.data.labelled import load_images
from bvit_hw.errors import DatasetError
from tests.faults import refusal
from tests.frozen_factory import CONFIGS

CONFIG = CONFIGS["plain"]

IMAGES = np.zeros((4, 12, 12, 3), np.uint8)

LABELS = np.array([0, 1, 2, 0])


@pytest.mark.parametrize(
    ("labels", "fragment"),
    [
        (LABELS + 0.5, "label 0.5 of image 0 is no class number"),
        (np.array([0, np.nan, 1, 2]), "label nan of image 1"),
        (np.array([0, np.inf, 1, 2]), "label inf of image 1"),
        (LABELS.astype(complex), "complex128"),
        (LABELS.astype(str), "one whole number an image"),
        (np.eye(4), "(4, 4); they must be one whole number an image"),
        (np.int64(3), "()"),
        (np.full(4, 2**64 - 1, np.uint64), "no class number"),
        (LABELS - 1, "labels -1..1; the network has classes 0..2"),
        (LABELS + 2, "labels 2..4; the network has classes 0..2"),
        (LABELS[:, None], "(4, 1); they must be one whole number an image"),
        (LABELS[:3], "4 images with 3 labels"),
        (np.array([None, 1, 2, 0], dtype=object), "holds Python objects"),
    ],
)
def test_labels(tmp_path: Path, labels: np.ndarray, fragment: str) -> None:
    np.savez(tmp_path / "set.npz", images=IMAGES, labels=labels)
    message = refusal(lambda: load_images(str(tmp_path / "set.npz"), CONFIG), DatasetError)
    assert fragment in message and "set.npz" in message


def test_whole_numbers_of_any_type_are_labels(tmp_path: Path) -> None:
    for kind in (np.uint8, np.int16, np.float64):
        np.savez(tmp_path / "set.npz", images=IMAGES, labels=LABELS.astype(kind))
        assert load_images(str(tmp_path / "set.npz"), CONFIG).labels.tolist() == LABELS.tolist()


@pytest.mark.parametrize(
    "images", [IMAGES[..., :2], IMAGES.transpose(0, 3, 1, 2), IMAGES.astype(np.int64), np.uint8(3), IMAGES[:, :8]]
)
def test_images(tmp_path: Path, images: np.ndarray) -> None:
    np.savez(tmp_path / "set.npz", images=images, labels=LABELS)
    assert "takes uint8 N x 12 x 12 x 3" in refusal(
        lambda: load_images(str(tmp_path / "set.npz"), CONFIG), DatasetError
    )


def _archive(path: Path) -> bytes:
    np.savez(path, images=IMAGES, labels=LABELS)
    return path.read_bytes()


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 255]) + data[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda d: d[:300], _flipped, lambda d: b"", lambda d: b"hello", lambda d: b"\x80\x04K\x01."]
)
def test_damaged_archives(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    path = tmp_path / "set.npz"
    path.write_bytes(damage(_archive(path)))
    assert "damaged" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)


def test_archives_of_other_things(tmp_path: Path) -> None:
    path = tmp_path / "set.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("images", "text")
        archive.writestr("labels", "text")
    assert "must be NumPy arrays" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)
    with path.open("wb") as file:
        np.save(file, IMAGES)
    assert "single array" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)
    path.unlink()
    path.mkdir()
    assert "set.npz" in refusal(lambda: load_images(str(path), CONFIG), DatasetError)


def test_an_archive_that_may_not_be_read_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path, **_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    (tmp_path / "set.npz").write_bytes(b"PK")
    monkeypatch.setattr(np, "load", refuse)  # root may read everything
    message = refusal(lambda: load_images(str(tmp_path / "set.npz"), CONFIG), DatasetError)
    assert "set.npz: cannot be read: Permission denied" in message and "damaged" not in message
