"""Pictures from files: a folder of images, one image, or NumPy arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .errors import ImageError

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")


@dataclass(frozen=True)
class Pictures:
    """Images of any size with their names; ``labels`` (int64) where the file held some."""

    names: list[str]
    images: list[np.ndarray]
    labels: np.ndarray | None = None


def load_pictures(path: str | Path) -> Pictures:
    """A folder's pictures by name (and its .npy files, an image each), one picture, or an .npz with ``images``.

    Raises ImageError for what cannot be read, naming the file; Pillow is needed for everything but NumPy's formats.
    """
    path = Path(path)
    if path.is_dir():
        files = sorted(f for f in path.iterdir() if f.suffix.lower() in (*_PICTURES, ".npy"))
        if not files:
            raise ImageError(f"{path}: holds no pictures ({', '.join(_PICTURES)} or .npy)")
        return Pictures([f.name for f in files], [_picture(f) for f in files])
    if path.suffix == ".npz":
        return _archive(path)
    return Pictures([path.name], [_picture(path)])


def _archive(path: Path) -> Pictures:
    try:
        with np.load(path, allow_pickle=False) as data:
            images = data["images"]
            labels = data["labels"].astype(np.int64) if "labels" in data else None
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise ImageError(f"{path}: must be an .npz with an array 'images': {error}") from error
    if labels is not None and len(labels) != len(images):
        raise ImageError(f"{path}: {len(images)} images with {len(labels)} labels")
    return Pictures([f"{path.stem}[{n}]" for n in range(len(images))], list(images), labels)


def _picture(path: Path) -> np.ndarray:
    if path.suffix == ".npy":
        try:
            return np.asarray(np.load(path, allow_pickle=False))
        except (OSError, ValueError, EOFError) as error:
            raise ImageError(f"{path}: no NumPy array: {error}") from error
    try:
        from PIL import Image
    except ImportError as error:
        raise ImageError(f"{path}: Pillow is needed to read it (pip install pillow)") from error
    try:
        with Image.open(path) as picture:
            # Palettes, opacity and 16 bits are Pillow's to sort out.
            return np.asarray(picture if picture.mode in ("L", "RGB") else picture.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ImageError(f"{path}: no picture that Pillow can read: {error}") from error
