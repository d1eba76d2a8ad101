"""Pictures from files: a folder of images, one image, or NumPy arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .archive import read_archive, read_array
from .errors import UNREADABLE, ImageError
from .images import to_bytes
from .labels import check_labels

if TYPE_CHECKING:
    from PIL.Image import Image

_PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
#: EXIF's tag of how the camera was held, and what brings each of its values upright (names of PIL's Transpose)
_ORIENTATION = 0x0112
_UPRIGHT = {
    2: "FLIP_LEFT_RIGHT", 3: "ROTATE_180", 4: "FLIP_TOP_BOTTOM", 5: "TRANSPOSE",
    6: "ROTATE_270", 7: "TRANSVERSE", 8: "ROTATE_90",
}  # fmt: skip
#: formats whose values Pillow hands on as 32-bit integers although they are of 16 bits
_SIXTEEN = ("PNG", "PPM")


@dataclass(frozen=True)
class Pictures:
    """Images of any size with their names; ``labels`` (int64) where the file held some.

    ``classes`` are the names of the images' classes where folders told them, of which :func:`checked_labels` makes
    numbers.
    """

    names: list[str]
    images: list[np.ndarray]
    labels: np.ndarray | None = None
    source: str = "images"
    classes: list[str] | None = None


def load_pictures(path: str | Path, class_names: Sequence[str] | None = None) -> Pictures:
    """A folder's pictures by name (and its .npy files, an image each), one picture, or an .npz with ``images``.

    A folder without pictures of its own may hold a folder for each class; with the network's ``class_names`` its
    pictures have labels, see :func:`checked_labels`. Other files are left alone. Raises ImageError for what cannot be
    read, naming the file; Pillow is needed for everything but NumPy's formats.
    """
    path = Path(path)
    try:
        found = _read(path)
    except OSError as error:  # a name that no file can have, a folder that may not be entered
        raise ImageError(f"{path}: cannot be read: {error.strerror or error}") from error
    return found if class_names is None else checked_labels(found, class_names)


def _read(path: Path) -> Pictures:
    if path.is_dir():
        return _folder(path)
    return _archive(path) if path.suffix.lower() == ".npz" else Pictures([path.name], [_picture(path)])


def _folder(path: Path) -> Pictures:
    files = _files(path)
    if files:
        return Pictures([f.name for f in files], [_picture(f) for f in files])
    by_class = {f.name: _files(f) for f in sorted(path.iterdir()) if f.is_dir()}
    files = [f for members in by_class.values() for f in members]
    if not files:
        raise ImageError(f"{path}: holds no pictures ({', '.join(_PICTURES)} or .npy), nor do folders in it")
    names, classes = [str(f.relative_to(path)) for f in files], [f.parent.name for f in files]
    return Pictures(names, [_picture(f) for f in files], None, str(path), classes)


def _files(folder: Path) -> list[Path]:
    return sorted(f for f in folder.iterdir() if f.suffix.lower() in (*_PICTURES, ".npy") and f.is_file())


def _archive(path: Path) -> Pictures:
    images, labels = read_archive(path)
    if not (images.ndim == 4 or (images.ndim == 3 and images.shape[-1] not in (1, 2, 3, 4))) or not images.size:
        raise ImageError(f"{path}: images of shape {images.shape}; needed: N x h x w x C, or N x h x w in grey")
    if images.ndim == 3:
        images = images[..., None]
    try:
        checked = None if labels is None else check_labels(labels, len(images))
    except ValueError as error:
        raise ImageError(f"{path}: {error}") from error
    return Pictures([f"{path.stem}[{n}]" for n in range(len(images))], list(images), checked, str(path))


def _picture(path: Path) -> np.ndarray:
    return read_array(path) if path.suffix.lower() == ".npy" else np.asarray(read_picture(path))


def read_picture(path: str | Path) -> Image:
    """A picture file as an upright Pillow picture of mode L or RGB; see :func:`plain`. ImageError names the file."""
    try:
        from PIL import Image
    except ImportError as error:
        raise ImageError(f"{path}: Pillow is needed to read it (pip install pillow)") from error
    try:
        with Image.open(path) as picture:
            return plain(picture)
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except ImageError as error:
        raise ImageError(f"{path}: {error}") from error
    except MemoryError as error:
        raise ImageError(f"{path}: the picture does not fit into memory") from error
    except pillow_errors() as error:
        raise ImageError(f"{path}: damaged, or no picture that Pillow can read: {error}") from error


def pillow_errors() -> tuple[type[Exception], ...]:
    """What Pillow raises over a picture that is damaged, too large (its guard against bombs), or none; Pillow is there.

    MemoryError is not among them.
    """
    from PIL import Image

    return (*UNREADABLE, Image.DecompressionBombError)


def array_of(picture: Any) -> np.ndarray:
    """A Pillow picture as uint8 h x w or h x w x 3; ImageError for one that is damaged or has no known range."""
    try:
        return np.asarray(plain(picture))
    except ImageError:
        raise
    except MemoryError as error:
        raise ImageError("the picture does not fit into memory") from error
    except pillow_errors() as error:  # a picture is decoded only now
        raise ImageError(f"damaged picture: {error}") from error


def plain(picture: Image) -> Image:
    """``picture`` upright, as 8 bits grey (L) or colour (RGB), opacity left out.

    16-bit grey is scaled to 8 bits, real numbers count as 0..1. 32-bit integers have no range that could be known, so
    they are refused (ImageError), as are reals outside 0..1.
    """
    from PIL import Image

    picture.load()  # before anything is asked of it: TIFF files are turned, and PNG's EXIF may be read, only now
    found, mode = picture, picture.mode
    if mode.startswith("I;16") or (mode == "I" and picture.format in _SIXTEEN):
        wide = np.asarray(picture).astype(np.int64)
        if wide.min() < 0 or wide.max() > 0xFFFF:
            raise ImageError(f"16-bit picture with values {wide.min()}..{wide.max()}; damaged")
        found = Image.fromarray(((wide + 128) // 257).astype(np.uint8))
    elif mode == "F":
        found = Image.fromarray(to_bytes(np.asarray(picture)))
    elif mode == "I":
        raise ImageError("picture of 32-bit integers, whose range is not known; save it with 8 or 16 bits a pixel")
    elif mode in ("1", "LA", "La"):
        found = picture.convert("L")
    elif mode not in ("L", "RGB"):
        found = picture.convert("RGB")
    turned = _UPRIGHT.get(_orientation(picture))
    # A copy where nothing else made one: the file is closed.
    return found.transpose(Image.Transpose[turned]) if turned else found.copy() if found is picture else found


def _orientation(picture: Image) -> int:
    try:
        value = picture.getexif().get(_ORIENTATION, 1)
    except pillow_errors():  # EXIF that cannot be read says nothing about how the camera was held; the pixels are there
        return 1
    return value if isinstance(value, int) else 1


def checked_labels(pictures: Pictures, class_names: Sequence[str]) -> Pictures:
    """``pictures`` again, whose labels are classes of the network; ImageError where they are not.

    Where folders told the classes, they are matched by name: all of them are the network's, or there are no labels and
    ``classes`` stay.
    """
    if pictures.classes is not None:
        place = {name: index for index, name in enumerate(class_names)}
        if all(name in place for name in pictures.classes):
            labels = np.array([place[name] for name in pictures.classes], np.int64)
            return Pictures(pictures.names, pictures.images, labels, pictures.source)
        return pictures
    if pictures.labels is not None:
        try:
            check_labels(pictures.labels, len(pictures.images), len(class_names))
        except ValueError as error:
            raise ImageError(f"{pictures.source}: {error}") from error
    return pictures
