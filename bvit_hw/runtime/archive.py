"""NumPy's files as this project takes them: .npz with ``images`` (and ``labels``), .npy with one image."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

import numpy as np

from .errors import ImageError

#: what NumPy, zipfile and zlib raise for files that are damaged or something else
_DAMAGED = (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zlib.error, NotImplementedError, SyntaxError)


def read_archive(path: str | Path, *, labelled: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """``images`` (as they are in the file) and ``labels`` (not checked; None where there are none) of an .npz file.

    Raises ImageError naming the file: missing, damaged, another format, an array missing (``labelled``: or labels).
    """
    path = Path(path)
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ImageError(f"{path}: holds a single array (.npy); an .npz with 'images' and 'labels' is needed")
        with archive:
            names = archive.files
            missing = [name for name in ("images", "labels")[: 1 + labelled] if name not in names]
            if missing:
                wanted = "arrays 'images' and 'labels'" if labelled else "an array 'images'"
                held = ", ".join(sorted(names)[:5]) or "nothing"
                raise ImageError(f"{path}: must hold {wanted}; {missing[0]!r} is missing, found {held}")
            images = archive["images"]
            labels = archive["labels"] if "labels" in names else None
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except MemoryError as error:
        raise ImageError(f"{path}: its arrays do not fit into memory") from error
    except _DAMAGED as error:
        raise ImageError(f"{path}: damaged, or no .npz file: {error}") from error
    if not isinstance(images, np.ndarray) or not (labels is None or isinstance(labels, np.ndarray)):
        raise ImageError(f"{path}: 'images' and 'labels' must be NumPy arrays, one .npy each")
    if images.dtype.kind not in "uif" and images.dtype.kind != "b":
        raise ImageError(f"{path}: images are {images.dtype} {images.shape}; needed: numbers, N x h x w x C")
    return images, labels


def read_array(path: str | Path) -> np.ndarray:
    """The array of a .npy file; ImageError naming the file for anything else."""
    path = Path(path)
    try:
        array = np.load(path, allow_pickle=False)
    except MemoryError as error:
        raise ImageError(f"{path}: its array does not fit into memory") from error
    except _DAMAGED as error:
        raise ImageError(f"{path}: no NumPy array: {error}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ImageError(f"{path}: no NumPy array, but an archive of several; name it .npz")
    return array
