"""Pictures as a network takes them, for simulations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bvit_hw.errors import ConfigError, DatasetError

if TYPE_CHECKING:
    import numpy as np

    from bvit_hw.contract import FrozenGraph


def checked_images(images: np.ndarray | str | Path, network: FrozenGraph, source: Path | None) -> np.ndarray:
    """``images`` as ``network`` takes them: uint8, N x H x W x C; ConfigError for another type or shape.

    Pictures in a folder or file are prepared by the preprocessing that ``source``, the network's file, says (None: the
    default one); DatasetError where they cannot be read.
    """
    import numpy as np

    size = network.tensors[network.input]
    shape = (size.height, size.width, size.channels)
    chosen = _pictures(Path(images), shape, source) if isinstance(images, str | Path) else np.ascontiguousarray(images)
    if chosen.dtype != np.uint8 or chosen.shape[1:] != shape or not len(chosen):
        raise ConfigError(
            f"images are {chosen.dtype} of shape {chosen.shape}; needed: uint8, one or more of {shape[0]} x "
            f"{shape[1]} x {shape[2]}"
        )
    return chosen


def _pictures(path: Path, shape: tuple[int, int, int], source: Path | None) -> np.ndarray:
    from bvit_hw.network_file import network_record
    from bvit_hw.runtime.errors import ImageError
    from bvit_hw.runtime.images import prepare
    from bvit_hw.runtime.model_info import ModelInfo
    from bvit_hw.runtime.pictures import load_pictures

    preprocessing = None if source is None else network_record(source).preprocessing.as_json()
    height, width, channels = shape
    # Of what a board knows only what prepares pictures.
    info = ModelInfo(
        model_hash="", height=height, width=width, channels=channels, classes=0, logits_exponent=0, class_names=(),
        clock_mhz=0.0, interface_version=0, cycles_per_frame=0, board="", preprocessing=preprocessing,
    )  # fmt: skip
    try:
        found = load_pictures(path)
        return prepare(found.images, info, found.names)
    except ImageError as error:
        raise DatasetError(str(error)) from error
