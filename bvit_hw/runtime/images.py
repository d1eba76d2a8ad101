"""Pictures of any kind and size to the bytes that the accelerator takes: what is no picture is refused. NumPy only.

A frame is height x width x channels bytes, uint8, channels last, in raster order; the network's own normalization is
inside its integers, so nothing is subtracted or divided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .errors import ImageError
from .model_info import ModelInfo

#: values that are turned into bytes at once: small enough to stay in the cache
_BLOCK = 1 << 15
_NEEDED = "needed: h x w, h x w x 1, 3 or 4, or N x h x w x C of these"
#: last axes of a picture: grey; red, green, blue; and opacity
_CHANNELS = (1, 3, 4)
#: three axes that end in fewer than so many are no grey pictures but bands
_BANDS = 8


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Reals in 0..1 to uint8 0..255, rounded to nearest; ImageError for what is no number or rounds to no byte."""
    out = np.empty(images.shape, np.uint8)
    source, target = np.ascontiguousarray(images).reshape(-1), out.reshape(-1)
    if images.dtype == np.float16:
        source = source.astype(np.float32)
    scale = source.dtype.type(255)
    for start in range(0, source.size, _BLOCK):
        block = source[start : start + _BLOCK]
        scaled = np.rint(block * scale)
        if not ((scaled >= 0) & (scaled <= 255)).all():
            if np.isnan(block).any():
                raise ImageError("images hold values that are no numbers (NaN)")
            raise ImageError(
                f"images hold values {source.min():g}..{source.max():g}; real numbers must lie in 0..1 "
                "(0..255 is for uint8)"
            )
        target[start : start + _BLOCK] = scaled
    return out


def batch_of(images: np.ndarray, channels: int, size: tuple[int, int]) -> np.ndarray:
    """One picture or many as uint8 N x h x w x C; C is 1, 3 or ``channels``, opacity is left out.

    An array whose axes can be read in two ways is refused, as is one of another type: ImageError says what is needed.
    ``size`` is the network's, whose pictures are known by it.
    """
    shape = images.shape
    if np.ma.is_masked(images):
        raise ImageError("images are masked in part; fill in what is masked (filled())")
    images = np.asarray(images)  # a matrix would keep its two axes
    if images.dtype != np.uint8 and not np.issubdtype(images.dtype, np.floating):
        raise ImageError(f"images are {images.dtype} {shape}; needed: uint8 (0..255) or real numbers (0..1)")
    batch = images
    if images.ndim == 3 and shape[-1] not in (*_CHANNELS, channels):
        if shape[0] in (2, 3, 4):
            raise ImageError(
                f"images of shape {shape}: planes of one picture, or {shape[0]} grey ones? {_NEEDED}; channels come "
                f"last (transpose(1, 2, 0)), and grey pictures may have a last axis of 1"
            )
        if shape[-1] < _BANDS and shape[1:] != size:
            raise ImageError(f"images of shape {shape}: a picture of {shape[-1]} channels? {_NEEDED}")
        batch = images[..., None]
    elif images.ndim in (2, 3):
        batch = images[None] if images.ndim == 3 else images[None, ..., None]
    if batch.ndim != 4 or not all(batch.shape[1:]):
        raise ImageError(f"images of shape {shape}; {_NEEDED}")
    if batch.shape[3] not in (*_CHANNELS, channels):
        planes = batch.shape[1] in (*_CHANNELS, channels)
        hint = ": channels come last (transpose(0, 2, 3, 1))" if planes else ""
        raise ImageError(
            f"images of shape {shape} have {batch.shape[3]} channels; the network takes {channels}{hint}; {_NEEDED}"
        )
    if batch.shape[3] == 4 and channels != 4:
        batch = batch[..., :3]
    if batch.shape[3] not in (1, channels) and channels != 1:
        raise ImageError(f"images of {batch.shape[3]} channels; the network takes {channels}")
    return batch if batch.dtype == np.uint8 else to_bytes(batch)


def prepare(images: object, info: ModelInfo, names: Sequence[str] | None = None) -> np.ndarray:
    """Images as the accelerator takes them: uint8 N x height x width x channels of ``info``, by its preprocessing.

    Takes one image or many, as an array, a Pillow picture, or a list of images of different sizes: h x w (grey),
    h x w x 1, 3 or 4 (the fourth, opacity, is left out), N in front. uint8 counts as it is, real numbers as 0..1.
    Raises ImageError for anything else, which tells the image of a list by its place, or by one of ``names``.
    """
    if hasattr(images, "getexif") and hasattr(images, "convert"):
        from .pictures import array_of

        images = array_of(images)
    if isinstance(images, np.ndarray):
        batch = batch_of(images, info.channels, (info.height, info.width))
        return info.preprocessor(batch)
    if not isinstance(images, Sequence) or isinstance(images, str | bytes):
        raise ImageError(f"images are {_named(images)}; needed: an array, a picture, or a list of them")
    parts = []
    for number, image in enumerate(images):
        try:
            parts.append(prepare(_listed(image), info))
        except ImageError as error:
            name = f"image {number} of the list" if names is None else names[number]
            raise ImageError(f"{name}: {error}") from error
    return np.concatenate(parts) if parts else np.empty((0, info.height, info.width, info.channels), np.uint8)


def _listed(image: Any) -> Any:
    """An element of a list: pictures and arrays as they are, rows of numbers as the array that they stand for."""
    if isinstance(image, np.ndarray) or hasattr(image, "getexif"):
        return image
    try:
        array = np.asarray(image)
    except ValueError as error:
        raise ImageError(f"rows of different lengths are no image: {error}") from error
    if array.dtype == object:
        raise ImageError(f"{_named(image)} is no image; needed: an array or a picture")
    return array


def _named(thing: object) -> str:
    return "None" if thing is None else f"of type {type(thing).__name__}"


def checked(images: np.ndarray, info: ModelInfo) -> np.ndarray:
    """``images`` (one or N) as N x height x width x channels; ImageError unless they are bytes of that shape."""
    if np.ma.is_masked(images):
        raise ImageError("images are masked in part; fill in what is masked (filled())")
    try:
        given = np.asarray(images)
    except ValueError as error:
        raise ImageError(f"images are of different shapes: {error} (Accelerator.prepare makes them of one)") from error
    batch = given[None] if given.ndim == 3 else given
    if batch.dtype != np.uint8 or batch.shape[1:] != (info.height, info.width, info.channels) or batch.ndim != 4:
        raise ImageError(
            f"images are {batch.dtype} {given.shape}; needed: uint8 N x {info.height} x {info.width} x "
            f"{info.channels} (Accelerator.prepare makes them of any others)"
        )
    return batch


def pack(images: np.ndarray, buffer: np.ndarray) -> int:
    """Copy uint8 frames into a buffer of bytes, whatever their memory order; returns the bytes written."""
    target = buffer[: images.size].reshape(images.shape)
    np.copyto(target, images)
    return int(images.size)
