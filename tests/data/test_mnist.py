"""MNIST-format files: read as they are, and refused by file and field where they are not."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.data import open_data
from bvit_hw.data.mnist import FASHION_CLASSES, FASHION_FOLDER, load_mnist
from bvit_hw.errors import DatasetError


def write(folder: Path, name: str, array: np.ndarray, *, packed: bool = False) -> Path:
    """``array`` (uint8) as an IDX file."""
    head = struct.pack(f">4B{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
    path = folder / (f"{name}.gz" if packed else name)
    content = head + array.astype(np.uint8).tobytes()
    path.write_bytes(gzip.compress(content) if packed else content)
    return path


@pytest.fixture
def digits(tmp_path: Path) -> Path:
    """Six training and three test pictures of three classes."""
    random = np.random.default_rng(0)
    for part, count in (("train", 6), ("t10k", 3)):
        packed = part == "t10k"
        write(tmp_path, f"{part}-images-idx3-ubyte", random.integers(0, 256, (count, 8, 8)), packed=packed)
        write(tmp_path, f"{part}-labels-idx1-ubyte", np.arange(count) % 3, packed=packed)
    return tmp_path


def test_plain_and_packed_files(digits: Path) -> None:
    data = open_data(f"mnist={digits}")
    assert data.classes == 3 and data.size == 8 and (len(data.train), len(data.test)) == (6, 3)
    image, label = data.train[4]
    assert image.shape == (1, 8, 8) and label == 1


def test_fashion_mnist_has_names() -> None:
    if not FASHION_FOLDER.is_dir():
        pytest.skip("dataset-fashion-mnist is not installed")
    data = open_data("fashion-mnist")
    assert data.class_names == FASHION_CLASSES and (len(data.train), len(data.test)) == (60_000, 10_000)
    assert data.size == 28 and data.arrays is not None
    assert data.arrays.train_images.mean() / 255 == pytest.approx(0.286, abs=1e-3)


@pytest.mark.parametrize(
    ("file", "damage", "words"),
    [
        ("train-images-idx3-ubyte", lambda b: b[:-1], "383 bytes of values; its sizes (6, 8, 8) ask for 384"),
        ("train-images-idx3-ubyte", lambda b: b[:9], "truncated"),
        ("train-images-idx3-ubyte", lambda b: b"", "starts with nothing"),
        ("train-images-idx3-ubyte", lambda b: b[:2] + b"\x0d" + b[3:], "type of the values is 0x0d"),
        ("train-labels-idx1-ubyte", lambda b: b[:3] + b"\x03" + b[4:], "3 dimensions; expected 1"),
        ("train-labels-idx1-ubyte", lambda b: b[:8] + bytes([0, 1, 0, 1, 0, 1]), "a t10k label is 2"),
        ("train-labels-idx1-ubyte", lambda b: b[:8] + bytes([0, 2, 0, 2, 0, 2]), "no training picture of class 1"),
        ("train-labels-idx1-ubyte", lambda b: b[:7] + b"\x05" + b[8:-1], "6 train images, 5 train labels"),
        ("t10k-images-idx3-ubyte.gz", lambda b: b[:-9], "damaged gzip file"),
        ("t10k-images-idx3-ubyte.gz", lambda b: gzip.compress(gzip.decompress(b)[:-1]), "ubyte.gz: 191 bytes of"),
        ("train-images-idx3-ubyte", lambda b: b[:8] + bytes(8), "shape (6, 0, 0); expected at least one, square"),
        ("train-images-idx3-ubyte", lambda b: b[:4] + b"\xff" * 12 + b[16:], "ask for 79,228,162,458,924"),
        ("t10k-images-idx3-ubyte.gz", lambda b: b[:20] + bytes([b[20] ^ 255]) + b[21:], "t10k"),
    ],
)
def test_damage_is_named(digits: Path, file: str, damage: object, words: str) -> None:
    path = digits / file
    path.write_bytes(damage(path.read_bytes()))  # type: ignore[operator]
    with pytest.raises(DatasetError) as caught:
        open_data(f"mnist={digits}")
    assert words in str(caught.value) and str(digits) in str(caught.value)


def test_what_is_missing_is_named(digits: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (digits / "t10k-labels-idx1-ubyte.gz").unlink()
    with pytest.raises(DatasetError, match=r"t10k-labels-idx1-ubyte: no such file, nor t10k-labels-idx1-ubyte.gz"):
        open_data(f"mnist={digits}")
    monkeypatch.setattr("bvit_hw.data.mnist.FASHION_FOLDER", digits / "package")
    with pytest.raises(DatasetError, match=r"package: no such folder; .* \(apt install dataset-fashion-mnist puts"):
        load_mnist("fashion-mnist", digits / "package")
    with pytest.raises(DatasetError, match=r"no such folder; fashion-mnist is read from there$"):
        open_data(f"fashion-mnist={digits}/none")


def test_pictures_must_be_square_and_agree(digits: Path) -> None:
    write(digits, "train-images-idx3-ubyte", np.zeros((6, 8, 9)))
    with pytest.raises(DatasetError, match=r"shape \(6, 8, 9\); expected at least one, square"):
        open_data(f"mnist={digits}")
    write(digits, "train-images-idx3-ubyte", np.zeros((6, 9, 9)))
    with pytest.raises(DatasetError, match=r"training pictures are \(9, 9\), test pictures \(8, 8\)"):
        open_data(f"mnist={digits}")
