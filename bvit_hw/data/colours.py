"""Grey pictures for networks that take colours, and the reverse: converted where that is asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bvit_hw.data.sources import ArraySplit, ImageData, Split
from bvit_hw.runtime.preprocess import images_with_channels

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class _Converted:
    """A split of picture files in another ``mode`` (Pillow's L or RGB)."""

    split: Split
    mode: str

    def __len__(self) -> int:
        return len(self.split)

    def __getitem__(self, index: int) -> tuple[Image | Tensor, int]:
        image, label = self.split[index]
        return image.convert(self.mode), label  # type: ignore[union-attr]


def with_channels(data: ImageData, channels: int) -> ImageData:
    """``data`` with pictures of so many channels, 1 or 3: grey is repeated, colours become their luma (ITU-R 601)."""
    if data.channels == channels or channels not in (1, 3):
        return data
    if data.arrays is None:
        mode = "L" if channels == 1 else "RGB"
        return replace(data, train=_Converted(data.train, mode), test=_Converted(data.test, mode), channels=channels)

    arrays = replace(
        data.arrays,
        train_images=images_with_channels(data.arrays.train_images, channels),
        test_images=images_with_channels(data.arrays.test_images, channels),
    )
    return replace(
        data,
        train=ArraySplit(arrays.train_images, arrays.train_labels),
        test=ArraySplit(arrays.test_images, arrays.test_labels),
        arrays=arrays,
        channels=channels,
    )
