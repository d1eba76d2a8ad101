"""Pre-processing: from pictures of any size to the bytes that the accelerator takes. NumPy only, no loop over images.

A frame is height x width x channels bytes, uint8, channels last, in raster order; the network's own normalization is
inside its integers, so nothing is subtracted or divided here.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from .errors import ImageError
from .model_info import ModelInfo

#: values that are turned into bytes at once: small enough to stay in the cache
_BLOCK = 1 << 15


@lru_cache(maxsize=32)
def _weights(source: int, target: int) -> np.ndarray:
    """Resampling weights, target x source float32: a triangle as wide as a target pixel, at least a source pixel.

    The same filter as Pillow's BILINEAR, which averages when it makes smaller.
    """
    scale = source / target
    radius = max(scale, 1.0)
    centres = (np.arange(target) + 0.5) * scale
    distance = np.abs(np.arange(source) + 0.5 - centres[:, None]) / radius
    weights = np.maximum(1.0 - distance, 0.0)
    return (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)


def resize(images: np.ndarray, height: int, width: int) -> np.ndarray:
    """N x h x w x C of any real type to N x height x width x C, float32 in the same range."""
    count, rows, cols, channels = images.shape
    out = np.empty((count, height, width, channels), np.float32)
    step = max(1, _BLOCK // (rows * cols * channels))
    for start in range(0, count, step):
        # Two matrix products: over rows as they lie, over columns with the pixels of a channel side by side.
        part = images[start : start + step].astype(np.float32)
        if rows != height:
            part = (_weights(rows, height) @ part.reshape(len(part), rows, -1)).reshape(-1, height, cols, channels)
        if cols != width:
            lines = np.ascontiguousarray(part.transpose(0, 1, 3, 2)).reshape(-1, cols) @ _weights(cols, width).T
            part = lines.reshape(len(part), height, channels, width).transpose(0, 1, 3, 2)
        out[start : start + step] = part
    return out


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Reals in 0..255 to uint8, rounded to nearest, saturated; raises ImageError for a value that is no number."""
    out = np.empty(images.shape, np.uint8)
    source, target = np.ascontiguousarray(images).reshape(-1), out.reshape(-1)
    for start in range(0, source.size, _BLOCK):
        block = np.rint(source[start : start + _BLOCK])
        np.clip(block, 0, 255, out=block)
        if not np.isfinite(block).all():
            raise ImageError("images hold values that are no numbers (NaN)")
        target[start : start + _BLOCK] = block
    return out


def prepare(images: np.ndarray | Sequence[Any], info: ModelInfo) -> np.ndarray:
    """Images as the accelerator takes them: uint8 N x height x width x channels of ``info``.

    Takes one image or many, as an array or a list of images of different sizes: h x w (grey), h x w x 1, 3 or 4 (the
    fourth, opacity, is left out), N in front. uint8 counts as it is, real numbers as 0..1. Raises ImageError for
    anything else.
    """
    if not isinstance(images, np.ndarray):
        parts = [prepare(np.asarray(image), info) for image in images]
        return np.concatenate(parts) if parts else np.empty((0, info.height, info.width, info.channels), np.uint8)
    batch = images
    if batch.ndim == 2 or (batch.ndim == 3 and batch.shape[-1] in (1, 3, 4, info.channels)):
        batch = batch[None]
    if batch.ndim == 3:
        batch = batch[..., None]
    if batch.ndim != 4 or not all(batch.shape[1:]):
        raise ImageError(f"images of shape {images.shape}; needed: N x height x width x channels, or one of them")
    if batch.dtype != np.uint8 and not np.issubdtype(batch.dtype, np.floating):
        raise ImageError(f"images are {images.dtype}; needed: uint8 (0..255) or real numbers (0..1)")
    if batch.shape[3] == 4 and info.channels != 4:
        batch = batch[..., :3]
    if batch.shape[3] == 1 and info.channels != 1:
        batch = np.repeat(batch, info.channels, axis=3)
    if batch.shape[3] != info.channels:
        raise ImageError(f"images of {images.shape[-1]} channels; the network takes {info.channels}")
    real = batch.dtype != np.uint8
    if batch.shape[1:3] != (info.height, info.width):
        batch = resize(batch, info.height, info.width)
    if real:
        batch = batch * batch.dtype.type(255)
    return batch if batch.dtype == np.uint8 else to_bytes(batch)


def checked(images: np.ndarray, info: ModelInfo) -> np.ndarray:
    """``images`` (one or N) as N x height x width x channels; ImageError unless they are bytes of that shape."""
    batch = np.asarray(images)
    if batch.ndim == 3:
        batch = batch[None]
    if batch.dtype != np.uint8 or batch.shape[1:] != (info.height, info.width, info.channels) or batch.ndim != 4:
        raise ImageError(
            f"images are {batch.dtype} {np.asarray(images).shape}; needed: uint8 N x {info.height} x {info.width} x "
            f"{info.channels} (Accelerator.prepare makes them of any others)"
        )
    return batch


def pack(images: np.ndarray, buffer: np.ndarray) -> int:
    """Copy uint8 frames into a buffer of bytes, whatever their memory order; returns the bytes written."""
    target = buffer[: images.size].reshape(images.shape)
    np.copyto(target, images)
    return int(images.size)
