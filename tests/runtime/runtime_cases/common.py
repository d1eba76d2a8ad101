"""The stand-in accelerator behind the driver, and what a case asks of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

try:
    import bvit_hw_runtime as runtime
except ImportError:
    from bvit_hw import runtime

SHAPE, CLASSES, BEATS = (4, 8, 3), 5, 12
FRAME_SHORT, FRAME_LONG, STALLED, PACKET_SHORT = 1, 2, 4, 8


def images(count: int, seed: int = 0) -> np.ndarray:
    """Random frames."""
    return np.random.default_rng(seed).integers(0, 256, (count, *SHAPE), dtype=np.uint8)


def expected(frames: np.ndarray) -> np.ndarray:
    """What the stand-in of sim/device_stand_in.sv makes of them, int32."""
    lanes = frames.reshape(len(frames), BEATS, 8)
    return lanes.sum(axis=1, dtype=np.int32)[:, :CLASSES] - np.int32(1000)


def opened(package: Path, **options: Any) -> Any:
    """The driver on the package's simulated device, four images a transfer."""
    return runtime.Accelerator(package / "sim", **{"batch": 4, "timeout": 0.0005, **options})


def model_of(accelerator: Any) -> Any:
    """The simulated model under the driver."""
    return accelerator._link.model


def serves(accelerator: Any, count: int = 9, seed: int = 99) -> None:
    """The next inference is right, and nothing is left of what was before."""
    frames = images(count, seed)
    assert np.array_equal(accelerator.logits_int(frames), expected(frames))
    counters = accelerator.counters()
    assert counters["flags"] & ~STALLED == 0 and counters["frames_dropped"] == 0
    assert counters["frames_in"] == counters["frames_out"]


def raises(kind: type[Exception], words: str, call: Callable[[], object]) -> Exception:
    """``call`` raises exactly ``kind``, and says ``words``."""
    try:
        call()
    except kind as error:
        assert type(error) is kind, repr(error)
        assert words in str(error), f"{words!r} is not in {error}"
        return error
    raise AssertionError(f"{kind.__name__} was not raised")
