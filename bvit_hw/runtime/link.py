"""The ways to reach an accelerator: AXI DMA through pynq on Zynq (and on the simulated device), XRT kernels on Alveo.

A link moves bytes and registers and knows nothing of frames. The driver sees no other interface than :class:`Link`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from .errors import TransferError

_DMA_RESET = 1 << 2
_DMA_ERRORS = {4: "internal error: a packet of another length than the transfer's", 5: "slave error", 6: "decode error"}
_RECEIVE = 0x30  # offset of the receiving direction's registers


class Link(Protocol):
    """Registers, buffers, and one transfer each way at a time. Transfers raise TransferError when they fail."""

    #: names the device for the lock
    name: str
    #: seconds that a transfer may take beyond the device's own computing time, unless the user says otherwise
    timeout: float
    #: the longest transfer in bytes
    max_bytes: int
    #: whether a transfer is one packet of all its frames; else each frame is a packet
    one_packet: bool

    def read(self, offset: int) -> int:
        """A register of the accelerator."""

    def write(self, offset: int, value: int) -> None:
        """Write a register of the accelerator."""

    def allocate_pixels(self, nbytes: int) -> Any:
        """A buffer of bytes that the device can read, a NumPy array with ``freebuffer()``."""

    def allocate_logits(self, count: int) -> Any:
        """A buffer of int32 that the device can write, a NumPy array with ``freebuffer()``."""

    def send(self, buffer: Any, nbytes: int) -> None:
        """Begin to send the first ``nbytes`` bytes as one packet."""

    def receive(self, buffer: Any, nbytes: int) -> None:
        """Begin to receive one packet of ``nbytes`` bytes."""

    def sending(self) -> bool:
        """Whether the last packet is still on its way out."""

    def receiving(self) -> bool:
        """Whether the packet awaited is not there yet."""

    def sent(self) -> int:
        """Bytes sent, once :meth:`sending` is over."""

    def received(self) -> int:
        """Bytes received, once :meth:`receiving` is over; the buffer can be read then."""

    def reset(self) -> None:
        """Break off both transfers."""

    def now(self) -> float:
        """Seconds as the device feels them."""

    def pause(self) -> None:
        """Wait a moment before asking again."""

    def power(self) -> dict[str, float]:
        """Watts by rail; empty where the board cannot read them."""


class DmaLink:
    """pynq's AXI DMA in register direct mode: ``overlay.dma`` and ``overlay.accelerator``, found by pynq in the .hwh.

    ``clock`` gives the device's time in seconds; without one (a real board) it is the clock on the wall.
    """

    one_packet = True

    def __init__(
        self, overlay: Any, allocate: Callable[..., Any], *, name: str, clock: Callable[[], float] | None = None
    ) -> None:
        self.name = name
        self._overlay, self._allocate = overlay, allocate
        self._dma, self._registers = overlay.dma, overlay.accelerator
        self._send, self._receive = overlay.dma.sendchannel, overlay.dma.recvchannel
        self._clock = clock
        self.timeout = 1.0 if clock is None else 0.002
        self.max_bytes = int(getattr(overlay.dma, "buffer_max_size", (1 << 23) - 1))

    def read(self, offset: int) -> int:
        return int(self._registers.read(offset))

    def write(self, offset: int, value: int) -> None:
        self._registers.write(offset, value)

    def allocate_pixels(self, nbytes: int) -> Any:
        return self._allocate(shape=(nbytes,), dtype=np.uint8)

    def allocate_logits(self, count: int) -> Any:
        return self._allocate(shape=(count,), dtype=np.int32)

    def send(self, buffer: Any, nbytes: int) -> None:
        self._start(self._send, buffer, nbytes, "sending")

    def receive(self, buffer: Any, nbytes: int) -> None:
        self._start(self._receive, buffer, nbytes, "receiving")

    @staticmethod
    def _start(channel: Any, buffer: Any, nbytes: int, what: str) -> None:
        try:
            channel.transfer(buffer, nbytes=nbytes)
        except (RuntimeError, ValueError) as error:
            raise TransferError(f"{what} {nbytes} bytes: the DMA takes no transfer: {error}") from error

    def sending(self) -> bool:
        return self._under_way(self._send, 0, "sending")

    def receiving(self) -> bool:
        return self._under_way(self._receive, _RECEIVE, "receiving")

    def _under_way(self, channel: Any, offset: int, what: str) -> bool:
        if channel.error:
            status = int(self._dma.read(offset + 4))
            causes = [text for bit, text in _DMA_ERRORS.items() if status >> bit & 1]
            raise TransferError(f"{what}: DMA {', '.join(causes) or 'error'} (status {status:#010x})")
        return not channel.idle

    def sent(self) -> int:
        self._send.wait()  # at once: it is idle
        return int(self._send.transferred)

    def received(self) -> int:
        self._receive.wait()  # at once; makes what arrived visible to the processor
        return int(self._receive.transferred)

    def reset(self) -> None:
        # Written by hand: stop() of pynq waits for a transfer that may never end. One bit resets both directions.
        self._dma.write(0, _DMA_RESET)
        for _ in range(1000):
            if not self._dma.read(0) & _DMA_RESET:
                break
        else:
            raise TransferError("the DMA does not come out of its reset; load the bitstream again")
        self._send.start()
        self._receive.start()

    def now(self) -> float:
        return time.monotonic() if self._clock is None else self._clock()

    def pause(self) -> None:
        if self._clock is None:
            time.sleep(50e-6)

    def power(self) -> dict[str, float]:
        return board_power() if self._clock is None else {}


def board_power() -> dict[str, float]:
    """Watts by rail, as pynq reads them over PMBus; empty on boards without such sensors."""
    import pynq

    watts: dict[str, float] = {}
    try:
        rails: dict[str, Any] = pynq.get_rails()
    except (OSError, AttributeError, NameError):  # no libsensors here
        return watts
    for name, rail in rails.items():
        sensor = getattr(rail, "power", None)
        if sensor is not None and np.isfinite(sensor.value):
            watts[name] = float(sensor.value)
    return watts
