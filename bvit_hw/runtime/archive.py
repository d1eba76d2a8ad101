"""NumPy's files as this project takes them: .npz with ``images`` (and ``labels``), .npy with one image."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from .errors import UNREADABLE, ImageError


def read_archive(path: str | Path, *, labelled: bool = False) -> tuple[np.ndarray, np.ndarray | None]:
    """``images`` (as they are in the file) and ``labels`` (not checked; None where there are none) of an .npz file.

    Raises ImageError naming the file: missing, damaged, another format, an array missing (``labelled``: or labels).
    """
    needed = ("images", "labels")[: 1 + labelled]
    found = read_arrays(path, needed, ("labels",))
    images, labels = found["images"], found.get("labels")
    if images.dtype.kind not in "uif" and images.dtype.kind != "b":
        raise ImageError(f"{path}: images are {images.dtype} {images.shape}; needed: numbers, N x h x w x C")
    return images, labels


def read_arrays(path: str | Path, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, np.ndarray]:
    """The ``needed`` arrays of an .npz file, and the ``optional`` ones that it holds; others are not looked at.

    Raises ImageError naming the file: missing, damaged, another format, an array missing.
    """
    path = Path(path)
    try:
        archive = np.load(path, allow_pickle=False)
        if isinstance(archive, np.ndarray):
            raise ImageError(f"{path}: holds a single array (.npy); an .npz with 'images' and 'labels' is needed")
        with archive:
            names = archive.files
            missing = [name for name in needed if name not in names]
            if missing:
                quoted = " and ".join(map(repr, needed))
                wanted = f"arrays {quoted}" if len(needed) > 1 else f"an array {quoted}"
                held = ", ".join(sorted(names)[:5]) or "nothing"
                raise ImageError(f"{path}: must hold {wanted}; {missing[0]!r} is missing, found {held}")
            found = {name: archive[name] for name in (*needed, *optional) if name in names}
    except ImageError:
        raise
    except FileNotFoundError as error:
        raise ImageError(f"{path}: no such file") from error
    except PermissionError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise ImageError(f"{path}: its arrays do not fit into memory") from error
    except UNREADABLE as error:
        raise ImageError(f"{path}: damaged, or no .npz file: {_reason(error)}") from error
    if not all(isinstance(array, np.ndarray) for array in found.values()):
        raise ImageError(f"{path}: {' and '.join(map(repr, found))} must be NumPy arrays, one .npy each")
    return found


def read_array(path: str | Path) -> np.ndarray:
    """The array of a .npy file; ImageError naming the file for anything else."""
    path = Path(path)
    try:
        array = np.load(path, allow_pickle=False)
    except PermissionError as error:
        raise ImageError(f"{path}: cannot be read: {error.strerror}") from error
    except MemoryError as error:
        raise ImageError(f"{path}: its array does not fit into memory") from error
    except UNREADABLE as error:
        raise ImageError(f"{path}: no NumPy array: {_reason(error)}") from error
    if not isinstance(array, np.ndarray):
        array.close()
        raise ImageError(f"{path}: no NumPy array, but an archive of several; name it .npz")
    return array


def _reason(error: Exception) -> str:
    """The error's words; NumPy takes what it does not know for a pickle, and says how to read one."""
    return "holds Python objects, or none of NumPy's formats" if "pickle" in str(error) else str(error)
