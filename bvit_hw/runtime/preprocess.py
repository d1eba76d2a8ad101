"""What happens to a picture before the network sees it, described as data, in NumPy alone: bytes in, bytes out.

Training's evaluation, calibration, ``evaluate``, builds and the driver all go through this. Resampling is Pillow's for
8-bit pictures, pass by pass to the last bit: fixed-point weights of 22 bits, rounded to bytes after each pass. Columns
always come first; Pillow itself changes the order between versions and sizes.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from functools import lru_cache
from typing import Any

import numpy as np

#: bits of the weights' fraction, as in Pillow's Resample.c
_PRECISION = 22
#: values of a block that is resampled at once: small enough to stay in the cache
_BLOCK = 1 << 17
#: half the width of a filter, in target pixels where a picture shrinks and in its own where it grows
_SUPPORT = {"bicubic": 2.0, "bilinear": 1.0}
RESIZES = ("shorter", "stretch")


@dataclass(frozen=True)
class Preprocessing:
    """From a picture of any size to ``height`` x ``width`` x ``channels`` bytes.

    A grey picture's value is repeated for every channel; a coloured one's luma (ITU-R 601, as Pillow takes it) is what
    a network of one channel sees; opacity is left out. A picture of the very size is not touched. Any other is resized
    by ``resize``: ``shorter`` keeps its proportions and makes it just cover the size divided by ``crop``, ``stretch``
    makes it exactly that large; the middle is cut out. ``filter`` is ``bicubic`` or ``bilinear``, as wide as a target
    pixel where the picture shrinks. Raises ValueError for a value that is not allowed.
    """

    height: int
    width: int
    channels: int
    resize: str = "shorter"
    filter: str = "bicubic"
    crop: float = 0.875

    def __post_init__(self) -> None:
        for name in ("height", "width", "channels"):
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise ValueError(f"preprocessing: {name}={value!r} must be a whole number above 0")
        for name, allowed in (("resize", RESIZES), ("filter", tuple(_SUPPORT))):
            if getattr(self, name) not in allowed:
                raise ValueError(f"preprocessing: {name}={getattr(self, name)!r}; allowed: {', '.join(allowed)}")
        if type(self.crop) not in (int, float) or not 0 < self.crop <= 1:
            raise ValueError(f"preprocessing: crop={self.crop!r} must be a share of the side, above 0 and up to 1")

    @classmethod
    def from_json(cls, data: object, shape: tuple[int, int, int]) -> Preprocessing:
        """What :meth:`as_json` gave, for a network of ``shape`` (H, W, C); None stands for the defaults.

        Raises ValueError for anything else, and for a size that is not the network's.
        """
        height, width, channels = shape
        if data is None:
            return cls(height, width, channels)
        names = {field.name for field in fields(cls)}
        if not isinstance(data, Mapping) or set(data) - names:
            unknown = sorted(set(data) - names) if isinstance(data, Mapping) else data
            raise ValueError(f"preprocessing: {unknown!r} is unknown; allowed: {', '.join(sorted(names))}")
        found = cls(**{"height": height, "width": width, "channels": channels, **data})
        if (found.height, found.width, found.channels) != shape:
            raise ValueError(
                f"preprocessing: to {found.height} x {found.width} x {found.channels}; the network takes "
                f"{height} x {width} x {channels}"
            )
        return found

    def as_json(self) -> dict[str, Any]:
        """All values, JSON-ready."""
        return asdict(self)

    def resized(self, height: int, width: int) -> tuple[int, int]:
        """Rows and columns of a picture of that size before its middle is cut out."""
        rows, cols = round(self.height / self.crop), round(self.width / self.crop)
        if self.resize == "stretch":
            return rows, cols
        if height * cols <= width * rows:
            return rows, rows * width // height
        return cols * height // width, cols

    def __call__(self, images: np.ndarray) -> np.ndarray:
        """uint8 N x h x w x C to uint8 N x height x width x channels; what is left as it is is not copied.

        C is 1 or 3, or ``channels``; anything else raises ValueError.
        """
        images = self._coloured(images)
        size = images.shape[1:3]
        if size == (self.height, self.width):
            return images
        rows, cols = self.resized(*size)
        down = _taps(size[0], rows, _middle(rows, self.height), self.height, self.filter)
        across = _taps(size[1], cols, _middle(cols, self.width), self.width, self.filter)
        out = np.empty((len(images), self.height, self.width, self.channels), np.uint8)
        step = max(1, _BLOCK // (size[0] * max(size[1], self.width) * self.channels))
        for start in range(0, len(images), step):
            part = images[start : start + step]
            # Rows that no target row looks at need no columns.
            first, last = int(down[0].min()), int(down[0].max()) + 1
            lines = np.ascontiguousarray(part[:, first:last].transpose(2, 0, 1, 3))
            lines = np.ascontiguousarray(_resample(lines, *across).transpose(2, 1, 0, 3))
            out[start : start + step] = _resample(lines, down[0] - first, down[1]).transpose(1, 0, 2, 3)
        return out

    def _coloured(self, images: np.ndarray) -> np.ndarray:
        if images.dtype != np.uint8 or images.ndim != 4 or not all(images.shape[1:]):
            raise ValueError(f"images are {images.dtype} {images.shape}; needed: uint8 N x h x w x C")
        given = images.shape[3]
        if given == self.channels:
            return images
        if given == 1:
            return np.repeat(images, self.channels, axis=3)
        if given == 3 and self.channels == 1:
            return luma(images)
        raise ValueError(f"images of {given} channels; the network takes {self.channels}")


def luma(images: np.ndarray) -> np.ndarray:
    """Grey of red, green and blue, ... x 3 to ... x 1: ITU-R 601 in 16 bits, as Pillow's convert("L")."""
    weighted = images.astype(np.uint32) @ np.array([19595, 38470, 7471], np.uint32)
    return ((weighted + 0x8000) >> 16).astype(np.uint8)[..., None]


def images_with_channels(images: np.ndarray, channels: int) -> np.ndarray:
    """Images (uint8, N x H x W x 3 or 1) with the other number: grey is repeated, colours become their luma."""
    return luma(images) if channels == 1 else np.repeat(images, 3, axis=3)


def _middle(whole: int, part: int) -> int:
    """Where the middle ``part`` of ``whole`` begins, as torchvision's CenterCrop has it."""
    return round((whole - part) / 2)


def _filter(name: str, x: np.ndarray) -> np.ndarray:
    x = np.abs(x)
    if name == "bilinear":
        return np.maximum(1.0 - x, 0.0)
    a = -0.5
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * a
    return np.where(x < 1, near, np.where(x < 2, far, 0.0))


@lru_cache(maxsize=64)
def _taps(source: int, target: int, start: int, count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Of ``count`` target pixels from ``start`` on: indices of the source pixels, count x taps, and int32 weights."""
    scale = source / target
    wide = max(scale, 1.0)
    support = _SUPPORT[name] * wide
    centres = (np.arange(start, start + count) + 0.5) * scale
    low = np.maximum((centres - support + 0.5).astype(np.int64), 0)
    high = np.minimum((centres + support + 0.5).astype(np.int64), source)
    places = low[:, None] + np.arange(math.ceil(support) * 2 + 1)
    inside = places < high[:, None]
    weights = np.where(inside, _filter(name, (places - centres[:, None] + 0.5) * (1.0 / wide)), 0.0)
    # Added one after another, as Pillow does: NumPy's own sum goes in pairs.
    weights = weights / np.cumsum(weights, axis=1)[:, -1:]
    fixed = np.trunc(weights * (1 << _PRECISION) + np.where(weights < 0, -0.5, 0.5)).astype(np.int32)
    used = max(1, int(inside.sum(axis=1).max()))
    return np.minimum(places, source - 1)[:, :used], fixed[:, :used]


def _resample(lines: np.ndarray, places: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """uint8 L x ... to uint8 count x ...: weighted sums along the first axis, rounded and saturated."""
    flat = lines.reshape(len(lines), -1)
    out = np.empty((len(places), flat.shape[1]), np.uint8)
    # Wide enough to be worth NumPy's calls, narrow enough for the sums to stay in the cache.
    width = max(64, _BLOCK // len(places))
    for start in range(0, flat.shape[1], width):
        part = flat[:, start : start + width].astype(np.int32)
        total = np.full((len(places), part.shape[1]), 1 << (_PRECISION - 1), np.int32)
        for tap in range(places.shape[1]):
            total += part[places[:, tap]] * weights[:, tap, None]
        total >>= _PRECISION
        out[:, start : start + width] = np.clip(total, 0, 255)
    return out.reshape(len(places), *lines.shape[1:])
