"""The accelerator as a kernel of an Alveo card: two data movers beside it, through pynq 3.0 (pynq 4 finds no cards).

The movers are driven by their control registers, as the accelerator is, and not by XRT's scheduler: pynq learns of
what that has finished only by waiting for it without a limit. Tried against objects with pynq's interface only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np

from . import registers as reg
from .errors import TransferError

#: bits of a kernel's control register, at offset 0 (UG1393). With one of the two control protocols that HLS gives a
#: kernel, "done" ends by being read; with the other it stays, and the kernel with it, until "continue" is written.
_START, _DONE, _IDLE, _CONTINUE = 1 << 0, 1 << 1, 1 << 2, 1 << 4
#: frames whose logits are taken at once from an accelerator that is full
_RELIEF_FRAMES = 64
#: seconds without a change after which a mover is taken to wait for the other
_SETTLED = 0.005


class _Mover:
    """One compute unit of bvit_mm2s or bvit_s2mm; ``unit`` and ``described`` are pynq's object and ip_dict entry."""

    def __init__(self, unit: Any, described: Mapping[str, Any]) -> None:
        self._unit, self._arguments = unit, described["registers"]
        # Whoever used the card before, a process that was killed say, may have left it at work.
        self._at_work = not unit.read(0) & (_DONE | _IDLE)

    def memory(self, argument: str) -> str:
        """Name of the memory bank that an argument's buffer must be in."""
        return str(self._arguments[argument]["memory"])

    def start(self, buffer: Any, argument: str, **scalars: int) -> None:
        """Run once, with the buffer as ``argument``."""
        address = int(buffer.device_address)
        offset = int(self._arguments[argument]["address_offset"])
        self._unit.write(offset, address & 0xFFFFFFFF)
        self._unit.write(offset + 4, address >> 32)
        for name, value in scalars.items():
            self._unit.write(int(self._arguments[name]["address_offset"]), value)
        self._unit.write(0, _START)
        self._at_work = True

    def busy(self) -> bool:
        """Whether it is at work."""
        if self._at_work:
            status = int(self._unit.read(0))
            if status & _DONE:
                self._unit.write(0, _CONTINUE)
            self._at_work = not status & (_DONE | _IDLE)
        return self._at_work


class KernelLink:
    """Overlay of bvit_hw.xclbin: the units ``accelerator`` (registers), ``mm2s`` and ``s2mm`` (movers).

    ``input_bytes`` are those of a beat of the pixels' stream, which the generated accelerator and the mover share.
    """

    #: what a buffer of a card's memory bank may reasonably be
    max_bytes = 1 << 28
    one_packet = False

    def __init__(
        self, overlay: Any, device: Any, *, name: str, input_bytes: int, frame_bytes: int, classes: int
    ) -> None:
        self.name, self.timeout = name, 1.0
        self._device, self._accelerator = device, overlay.accelerator
        self._mm2s = _Mover(overlay.mm2s, overlay.ip_dict["mm2s"])
        self._s2mm = _Mover(overlay.s2mm, overlay.ip_dict["s2mm"])
        self._beats, self._frame_bytes, self._classes = frame_bytes // input_bytes, frame_bytes, classes
        self._sent = self._received = 0
        self._results: Any = None

    def read(self, offset: int) -> int:
        """A register of the accelerator."""
        return int(self._accelerator.read(offset))

    def write(self, offset: int, value: int) -> None:
        """Write a register of the accelerator."""
        self._accelerator.write(offset, value)

    def allocate_pixels(self, nbytes: int) -> Any:
        """A buffer with its twin in the card's memory."""
        return self._allocate(nbytes, np.uint8, self._mm2s.memory("images"))

    def allocate_logits(self, count: int) -> Any:
        """A buffer with its twin in the card's memory."""
        return self._allocate(count, np.int32, self._s2mm.memory("results"))

    def _allocate(self, count: int, dtype: type, memory: str) -> Any:
        import pynq

        # The bank is said: with images and logits in two banks, as on HBM cards, pynq would not choose.
        return pynq.allocate(shape=(count,), dtype=dtype, target=self._device.get_memory_by_name(memory))

    def send(self, buffer: Any, nbytes: int) -> None:
        """Copy to the card and start the mover."""
        if self._mm2s.busy():
            raise TransferError("sending: the mover is still at work")
        buffer.sync_to_device()
        self._mm2s.start(buffer, "images", frames=nbytes // self._frame_bytes, beats=self._beats)
        self._sent = nbytes

    def receive(self, buffer: Any, nbytes: int) -> None:
        """Start the mover that waits for logits."""
        if self._s2mm.busy():
            raise TransferError("receiving: the mover is still at work")
        self._s2mm.start(buffer, "results", frames=nbytes // (4 * self._classes), classes=self._classes)
        self._received, self._results = nbytes, buffer

    def sending(self) -> bool:
        """Whether the mover is at work."""
        return self._mm2s.busy()

    def receiving(self) -> bool:
        """Whether logits are still awaited."""
        return self._s2mm.busy()

    def sent(self) -> int:
        """All bytes: a mover that has ended has moved everything."""
        return self._sent

    def received(self) -> int:
        """All bytes; copies them from the card."""
        self._results.sync_from_device()
        return self._received

    def reset(self) -> None:
        """Bring both movers to rest, whoever started them.

        A mover cannot be broken off: it ends when it has moved everything. So the accelerator, emptied, is given frames
        of zeros until the one that waits for logits has as many as it wants, and relieved of logits until the one that
        sends has got rid of its images. What arrives is thrown away. Raises TransferError where nothing moves any more.
        """
        self._results = None
        if not (self._mm2s.busy() or self._s2mm.busy()):
            return
        self.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        pixels = self.allocate_pixels(self._frame_bytes)
        logits = self.allocate_logits(_RELIEF_FRAMES * self._classes)
        try:
            pixels[:] = 0
            pixels.sync_to_device()
            self._bring_to_rest(pixels, logits)
        finally:
            pixels.freebuffer()
            logits.freebuffer()

    def _bring_to_rest(self, pixels: Any, logits: Any) -> None:
        """Start the mover that is at rest, whenever the other one needs it to go on, until both are."""
        left, before, since = 2 * reg.PACKET_FRAMES_COUNT, (True, True, 0, 0), self.now()
        while True:
            sending, receiving = self._mm2s.busy(), self._s2mm.busy()
            if not sending and not receiving:
                return
            taken, given = self.read(reg.FRAMES_IN), self.read(reg.FRAMES_OUT)
            if (sending, receiving, taken, given) != before:
                before, since = (sending, receiving, taken, given), self.now()
            waited = self.now() - since
            if left == 0 or (sending and receiving and waited > self.timeout):
                names = " and ".join(n for n, at_work in (("mm2s", sending), ("s2mm", receiving)) if at_work)
                raise TransferError(f"the data movers do not come to rest ({names}): reset the card (xbutil reset)")
            if not sending and (taken == given or waited > _SETTLED):
                self._mm2s.start(pixels, "images", frames=1, beats=self._beats)
                left -= 1
            elif not receiving and waited > _SETTLED:
                self._s2mm.start(logits, "results", frames=_RELIEF_FRAMES, classes=self._classes)
                left -= 1
            else:
                self.pause()

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
