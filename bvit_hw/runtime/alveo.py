"""The accelerator as a kernel of an Alveo card: data movers as kernels beside it, run by XRT through pynq 3.0.

pynq 4 no longer finds cards. The movers send a packet a frame and count frames themselves. Tried without a card only,
against objects with pynq's interface.
"""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from .errors import TransferError

#: bit of a kernel's control register that says it is at rest
_IDLE = 1 << 2


class KernelLink:
    """Overlay of bvit_hw.xclbin: the units ``accelerator`` (registers), ``mm2s`` and ``s2mm`` (movers)."""

    timeout = 1.0
    #: what a buffer of a card's memory bank may reasonably be
    max_bytes = 1 << 28
    one_packet = False

    def __init__(
        self, overlay: Any, device: Any, *, name: str, input_bytes: int, frame_bytes: int, classes: int
    ) -> None:
        self.name = name
        self._overlay, self._device = overlay, device
        self._accelerator, self._mm2s, self._s2mm = overlay.accelerator, overlay.mm2s, overlay.s2mm
        self._input_bytes, self._frame_bytes, self._classes = input_bytes, frame_bytes, classes
        self._sending: tuple[Any, int] | None = None
        self._receiving: tuple[Any, int, Any] | None = None

    def read(self, offset: int) -> int:
        """A register of the accelerator."""
        return int(self._accelerator.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register of the accelerator."""
        self._accelerator.write(offset, value)

    def allocate(self, shape: tuple[int, ...], dtype: type) -> Any:
        """A buffer with its twin in the card's memory."""
        import pynq

        return pynq.allocate(shape=shape, dtype=dtype, target=self._device)

    def send(self, buffer: Any, nbytes: int) -> None:
        """Copy to the card and start the mover."""
        if self._sending is not None and not self._done(self._mm2s, self._sending[0]):
            raise TransferError("sending: the mover is still at work")
        buffer.sync_to_device()
        frames = nbytes // self._frame_bytes
        beats = self._frame_bytes // self._input_bytes
        self._sending = (self._mm2s.start(buffer, frames, beats), nbytes)

    def receive(self, buffer: Any, nbytes: int) -> None:
        """Start the mover that waits for logits."""
        if self._receiving is not None and not self._done(self._s2mm, self._receiving[0]):
            raise TransferError("receiving: the mover is still at work")
        frames = nbytes // (4 * self._classes)
        self._receiving = (self._s2mm.start(buffer, frames, self._classes), nbytes, buffer)

    @staticmethod
    def _done(kernel: Any, handle: Any) -> bool:
        done = getattr(handle, "done", None)
        return bool(done) if isinstance(done, (bool, np.bool_)) else bool(kernel.read(0) & _IDLE)

    def sending(self) -> bool:
        """Whether the mover is at work."""
        return self._sending is not None and not self._done(self._mm2s, self._sending[0])

    def receiving(self) -> bool:
        """Whether logits are still awaited."""
        return self._receiving is not None and not self._done(self._s2mm, self._receiving[0])

    def sent(self) -> int:
        """All bytes: a mover cannot stop in between."""
        assert self._sending is not None
        return self._sending[1]

    def received(self) -> int:
        """All bytes; copies them from the card."""
        assert self._receiving is not None
        _, nbytes, buffer = self._receiving
        buffer.sync_from_device()
        return nbytes

    def reset(self) -> None:
        """A mover that waits for ever can only be loaded anew; without one there is nothing to do."""
        if self.sending() or self.receiving():
            self._overlay.download()
        self._sending = self._receiving = None

    def now(self) -> float:
        """The clock on the wall."""
        return time.monotonic()

    def pause(self) -> None:
        """Give up the processor for a moment."""
        time.sleep(20e-6)

    def power(self) -> dict[str, float]:
        """Watts by rail, from the card's own sensors."""
        sensors = getattr(self._device, "sensors", None) or {}
        rails = {name: getattr(rail, "power", None) for name, rail in sensors.items()}
        return {name: float(sensor.value) for name, sensor in rails.items() if sensor is not None}
