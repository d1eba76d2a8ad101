"""Files with bytes flipped or cut off: each is read, or refused by name. No other exception leaves the readers."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bvit_hw.runtime.archive import read_archive, read_array
from bvit_hw.runtime.errors import ImageError
from bvit_hw.runtime.pictures import array_of, load_pictures, pillow_errors

PIXELS = np.random.default_rng(0).integers(0, 256, (13, 11, 3), dtype=np.uint8)
ROUNDS = 150


def picture(name: str) -> bytes:
    """The pixels in the format that the suffix says; JPEG with EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    out = io.BytesIO()
    image = Image.fromarray(PIXELS)
    image.save(out, "jpeg" if name == "jpg" else name, **({"exif": exif} if name in ("jpg", "webp", "png") else {}))
    return out.getvalue()


def arrays(name: str) -> bytes:
    """The pixels as .npy, .npz (stored) or .npz (deflated)."""
    out = io.BytesIO()
    if name == "npy":
        np.save(out, PIXELS)
    else:
        (np.savez if name == "npz" else np.savez_compressed)(out, images=PIXELS[None], labels=np.array([1]))
    return out.getvalue()


def spoilt(data: bytes, rng: np.random.Generator) -> bytes:
    """One to eight bytes changed, half of them among the first 64, where formats keep their heads; every tenth cut."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 9)):
        end = len(out) if rng.integers(2) else min(64, len(out))
        out[rng.integers(end)] = rng.integers(256)
    return bytes(out[: rng.integers(len(out))] if rng.integers(10) == 0 else out)


def pillow_opened(data: bytes) -> Image.Image | None:
    """The picture, not decoded yet; None where Pillow refuses to open it."""
    try:
        return Image.open(io.BytesIO(data))
    except pillow_errors():
        return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("suffix", ["png", "jpg", "bmp", "gif", "tiff", "webp", "ppm"])
def test_pictures(suffix: str, tmp_path: Path) -> None:
    whole, rng, refused = picture(suffix), np.random.default_rng(1), 0
    decoding = 0
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(whole)
    assert load_pictures(path).images[0].size
    for _ in range(ROUNDS):
        data = spoilt(whole, rng)
        path.write_bytes(data)
        try:
            load_pictures(path)
        except ImageError as error:
            refused += 1
            assert str(path) in str(error)
        if (opened := pillow_opened(data)) is not None:
            try:
                array_of(opened)
            except ImageError as error:
                decoding += 1
                assert str(error)
    assert refused > ROUNDS // 10 and (decoding or suffix in ("bmp", "ppm", "webp"))


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ["npy", "npz", "deflated"])
def test_arrays(kind: str, tmp_path: Path) -> None:
    whole, rng, refused = arrays(kind), np.random.default_rng(2), 0
    path = tmp_path / "a.npy"
    read = read_array if kind == "npy" else read_archive
    path.write_bytes(whole)
    read(path)
    for _ in range(3 * ROUNDS):
        path.write_bytes(spoilt(whole, rng))
        try:
            read(path)
        except ImageError as error:
            refused += 1
            assert str(path) in str(error)
    assert refused > ROUNDS // 10


def test_a_picture_beyond_the_guard_of_pillow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.png").write_bytes(picture("png"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(ImageError, match=r"a\.png.*exceeds limit"):
        load_pictures(tmp_path / "a.png")


def test_memory_that_does_not_suffice_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> None:
        raise MemoryError

    (tmp_path / "a.png").write_bytes(picture("png"))
    opened = Image.open(io.BytesIO(picture("png")))
    monkeypatch.setattr("PIL.PngImagePlugin.PngImageFile.load", refuse)
    with pytest.raises(ImageError, match=r"a\.png: the picture does not fit into memory"):
        load_pictures(tmp_path / "a.png")
    with pytest.raises(ImageError, match="does not fit into memory"):
        array_of(opened)
