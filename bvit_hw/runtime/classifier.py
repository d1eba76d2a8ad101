"""What every accelerator offers, whatever it is: pictures in, logits out, one owner of the device."""

from __future__ import annotations

import math
import weakref
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any, TypeVar

import numpy as np

from .errors import DeviceError
from .held import Held
from .images import checked, prepare
from .lock import DeviceLock
from .model_info import ModelInfo
from .pictures import Pictures

_Own = TypeVar("_Own", bound="Classifier")  # typing.Self is newer than Python 3.10
_open: weakref.WeakValueDictionary[str, Classifier] = weakref.WeakValueDictionary()


def _seconds(timeout: object) -> float:
    """A time limit; raises ValueError for what is no finite number above 0."""
    seconds = math.nan
    if isinstance(timeout, int | float | np.integer | np.floating) and not isinstance(timeout, bool | np.timedelta64):
        with suppress(OverflowError):
            seconds = float(timeout)
    if not 0 < seconds < math.inf:
        raise ValueError(f"timeout={timeout!r}; allowed: a finite number of seconds above 0")
    return seconds


class Classifier(ABC):
    """A loaded accelerator; use it as a context manager, which frees its buffers and the device.

    ``timeout`` is how many seconds the device may take beyond its computing time, ``batch`` how many images are handed
    to it at a time at most. A Classifier of this process on the same device is closed before another one opens it, so
    that a notebook's cell can be run again.
    """

    info: ModelInfo
    batch: int
    #: the way to the device, as the kind of accelerator needs it
    _link: Any

    def __init__(self, timeout: float | None, batch: int | None) -> None:
        if timeout is not None:
            _seconds(timeout)
        if isinstance(batch, bool | np.timedelta64) or not isinstance(batch, int | np.integer | None):
            raise ValueError(f"batch={batch!r}; allowed: a whole number of images")
        self._held = Held()
        weakref.finalize(self, self._held.release)

    @abstractmethod
    def counters(self) -> dict[str, int]:
        """Frames in, out and dropped, flags and clock cycles since they were cleared; a frame's times in cycles."""

    @abstractmethod
    def clear_counters(self) -> None:
        """Set the counters to 0."""

    @abstractmethod
    def reset(self) -> None:
        """Drop every frame inside, and clear the counters."""

    @abstractmethod
    def _transfers(self, pieces: Iterable[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Logits of each piece, in order; a piece is as many images as ``batch`` at most."""

    def _claim(self, name: str) -> None:
        """Take the device before anything is loaded into it."""
        earlier = _open.pop(name, None)
        if earlier is not None:
            earlier.close()
        self._held.lock = DeviceLock(name)
        _open[name] = self

    def __enter__(self: _Own) -> _Own:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the buffers and let go of the device; further calls do nothing.

        A stream that is under way, in this thread or another, ends in a DeviceError at its next step.
        """
        self._held.release()

    @property
    def timeout(self) -> float:
        """Seconds that a transfer may take beyond the device's computing time."""
        return self._timeout

    @timeout.setter
    def timeout(self, seconds: float) -> None:
        self._timeout = _seconds(seconds)

    def _require_open(self) -> None:
        if self._held.closed:
            raise DeviceError(f"the accelerator {self._held.whose or 'was closed; connect again'}")

    def prepare(self, images: np.ndarray | Sequence[Any] | Pictures) -> np.ndarray:
        """Pictures of any size, grey or colour, bytes or reals in 0..1, as the uint8 array that the others take.

        ImageError says what is wrong, and with which of them: those of load_pictures are told by their names.
        """
        if isinstance(images, Pictures):
            return prepare(images.images, self.info, images.names)
        return prepare(images, self.info)

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of uint8 images, N x height x width x channels (or one image): float32, N x classes.

        Raises ImageError for a wrong shape or type, and what the device does wrong as DeviceError; after each the
        driver has brought the device back to rest, and the next call is served.
        """
        return self.logits_int(images).astype(np.float32) * np.float32(2.0**self.info.logits_exponent)

    def logits_int(self, images: np.ndarray) -> np.ndarray:
        """The integers as they come from the accelerator, int32, N x classes: equal to the frozen model's."""
        (out,) = list(self.stream([images]))
        return out

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Index of the largest logit of each image, int64; a tie goes to the lower one."""
        return np.asarray(self.logits_int(images).argmax(axis=1))

    def stream(self, batches: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
        """The integers of each batch in turn, int32 N x classes: while one transfer is computed, the next is packed.

        ``batches`` may be endless; each is split as transfers need it. Nothing else may be asked of the accelerator
        until the stream has ended or been closed; closing it early resets the device.
        """
        waiting: deque[tuple[int, int]] = deque()  # (transfers, frames) of the batches not given yet

        def pieces() -> Iterator[np.ndarray]:
            for images in batches:
                whole = checked(images, self.info)
                waiting.append((-(-len(whole) // self.batch), len(whole)))
                for start in range(0, len(whole), self.batch):
                    yield whole[start : start + self.batch]

        parts: list[np.ndarray] = []

        def finished() -> Iterator[np.ndarray]:
            while waiting and len(parts) == waiting[0][0]:
                waiting.popleft()
                yield np.concatenate(parts) if parts else np.empty((0, self.info.classes), np.int32)
                parts.clear()

        transfers = self._transfers(pieces())
        try:
            for logits in transfers:
                yield from finished()  # batches of no image in front
                parts.append(logits)
                yield from finished()
            yield from finished()
        finally:
            transfers.close()  # at once, whenever this generator is collected

    def power(self) -> dict[str, float]:
        """Watts by rail of the board, empty where it cannot read them."""
        self._require_open()
        return self._link.power()

    @property
    def simulated(self) -> bool:
        """Whether this is the simulated device: its time is not yours, and it draws no power."""
        return bool(getattr(self._link, "simulated", False))

    @property
    def now(self) -> float:
        """Seconds as the device counts them: simulated ones where it is simulated."""
        self._require_open()
        return self._link.now()
