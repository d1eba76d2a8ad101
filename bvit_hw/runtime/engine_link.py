"""The way to a single engine through pynq: its registers, and buffers in the DRAM that it reads and writes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from .engine_registers import Register, Status
from .errors import DeviceError, ProgrammeError
from .link import board_power


class MemoryLink(Protocol):
    """Registers, and memory that processor and engine share."""

    #: names the device for the lock
    name: str
    #: seconds that a frame may take beyond the engine's own computing time, unless the user says otherwise
    timeout: float

    def read(self, offset: int) -> int:
        """A register of the engine."""

    def write(self, offset: int, value: int) -> None:
        """Write a register of the engine."""

    def allocate(self, nbytes: int, what: str) -> Any:
        """A buffer of bytes, a NumPy array with ``device_address`` and ``freebuffer()``.

        ProgrammeError, naming ``what`` it is for, where there is no room.
        """

    def written(self, buffer: Any) -> None:
        """The processor has written to the buffer: the engine is to see it."""

    def changed(self, buffer: Any) -> None:
        """The engine has written to the buffer: the processor is to see it."""

    def reset(self) -> None:
        """Wait, for a moment at most, until no frame is under way: buffers may be freed then."""

    def now(self) -> float:
        """Seconds as the device feels them."""

    def pause(self) -> None:
        """Wait a moment before asking again."""

    def power(self) -> dict[str, float]:
        """Watts by rail; empty where the board cannot read them."""


class EngineLink:
    """``overlay.accelerator``, found by pynq in the .hwh, and pynq's ``allocate``.

    ``clock`` gives the device's time in seconds; without one (a real board) it is the clock on the wall.
    """

    def __init__(
        self, overlay: Any, allocate: Callable[..., Any], *, name: str, clock: Callable[[], float] | None = None
    ) -> None:
        self.name = name
        self._overlay, self._allocate, self._registers = overlay, allocate, overlay.accelerator
        self._clock = clock
        self.timeout = 1.0 if clock is None else 0.002

    def read(self, offset: int) -> int:
        return int(self._registers.read(int(offset)))

    def write(self, offset: int, value: int) -> None:
        self._registers.write(int(offset), value)

    def allocate(self, nbytes: int, what: str) -> Any:
        try:
            return self._allocate(shape=(nbytes,), dtype=np.uint8)
        except (DeviceError, RuntimeError, MemoryError, OSError) as error:
            raise ProgrammeError(f"DRAM has no room for {what}, {nbytes:,} bytes: {error}") from error

    def written(self, buffer: Any) -> None:
        buffer.flush()

    def changed(self, buffer: Any) -> None:
        buffer.invalidate()

    def reset(self) -> None:
        start = self.now()
        while self.read(Register.STATUS) >> Status.BUSY & 1 and self.now() - start < self.timeout:
            self.pause()

    def now(self) -> float:
        return time.monotonic() if self._clock is None else self._clock()

    def pause(self) -> None:
        if self._clock is None:
            time.sleep(50e-6)

    def power(self) -> dict[str, float]:
        return board_power() if self._clock is None else {}
