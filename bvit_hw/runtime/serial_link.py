"""The accelerator at a board's serial port, through pyserial: packets with lengths and CRC (docs/serial.md).

What is lost on its way to the device is sent again. Logits that are lost on their way back are computed again, which
the driver notices by the device's counter of frames, and tells as a TransferError.
"""

from __future__ import annotations

import struct
import time
from collections import deque
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .errors import DeviceError, TransferError
from .serial_packets import FRAME, LOGITS, READ, REFUSED, VALUE, WRITE, WRITTEN, Decoder, Packet

BAUD = 3_000_000
#: frames on their way at once: while one is computed, the next is on the line
_WINDOW = 2
#: frames of a transfer at most: tags are a byte, and two transfers may be under way
_MOST_FRAMES = 100
_MOST_BYTES = 1 << 18
#: how often a request is sent before it is given up
_TRIES = 5
#: seconds of silence on the line after which nothing is on its way any more
_SILENCE = 0.03


class Port(Protocol):
    """What of pyserial's Serial is used."""

    @property
    def in_waiting(self) -> int:
        """Bytes that can be read at once."""

    def read(self, size: int) -> bytes:
        """Up to ``size`` bytes."""

    def write(self, data: bytes) -> Any:
        """Send."""


class _Buffer(np.ndarray):
    """Memory of this computer."""

    def freebuffer(self) -> None:
        """Nothing to do."""


@dataclass
class _Flight:
    """A frame on its way: its packet, when it is to be sent again, how often it was sent."""

    packet: bytes
    due: float
    tries: int = 1


class SerialLink:
    """A link over an open serial port; ``patience`` is how much slower than a board the device is (a simulated one)."""

    one_packet = False

    def __init__(
        self, port: Port, *, name: str, frame_bytes: int, classes: int, baud: int = BAUD, patience: float = 1.0
    ) -> None:
        self.name = name
        self._port, self._frame_bytes, self._classes = port, frame_bytes, classes
        self.max_bytes = min(_MOST_BYTES, _MOST_FRAMES * frame_bytes)
        #: seconds in which a request and its answer are over, with the frames that may lie before it on the line
        self._answer_time = patience * (0.25 + 2 * (_WINDOW + 1) * 10 * frame_bytes / baud)
        self.timeout = patience * (1.0 + 4 * 10 * self.max_bytes / baud) + _TRIES * self._answer_time
        self._decoder = Decoder()
        self._answers: dict[int, Packet] = {}
        self._ask_tag = self._frame_tag = 0
        self.resent = 0  #: requests that had to be sent again
        self._clear()

    def _clear(self) -> None:
        self._queue: deque[tuple[int, bytes]] = deque()
        self._flying: dict[int, _Flight] = {}
        self._done: dict[int, bytes] = {}
        self._transfers: deque[list[int]] = deque()  # tags of the transfers whose logits were not taken yet
        self._last: list[int] = []
        self._into: Any = None

    # ---- registers -------------------------------------------------------------------------------------------------

    def read(self, offset: int) -> int:
        """A register of the accelerator."""
        (value,) = struct.unpack("<I", self._ask(READ, VALUE, struct.pack("<H", offset)))
        return int(value)

    def write(self, offset: int, value: int) -> None:
        """Write a register of the accelerator."""
        self._ask(WRITE, WRITTEN, struct.pack("<HI", offset, value))

    def _ask(self, kind: int, answer: int, payload: bytes) -> bytes:
        for attempt in range(_TRIES):
            self._ask_tag = (self._ask_tag + 1) % 256
            self._send(Packet(kind, self._ask_tag, payload).encoded())
            self.resent += attempt > 0
            until = time.monotonic() + self._answer_time
            while time.monotonic() < until:
                self._listen()
                found = self._answers.pop(self._ask_tag, None)
                if found is not None and found.kind == answer and len(found.payload) == (4 if kind == READ else 0):
                    return found.payload
                time.sleep(50e-6)
        raise TransferError(f"{self.name}: no answer from the device to {_TRIES} requests")

    # ---- transfers -------------------------------------------------------------------------------------------------

    def allocate_pixels(self, nbytes: int) -> Any:
        """A buffer of bytes."""
        return np.zeros(nbytes, np.uint8).view(_Buffer)

    def allocate_logits(self, count: int) -> Any:
        """A buffer of int32."""
        return np.zeros(count, np.int32).view(_Buffer)

    def send(self, buffer: Any, nbytes: int) -> None:
        """Begin to send frames, each in a packet of its own."""
        tags = []
        for start in range(0, nbytes, self._frame_bytes):
            self._frame_tag = (self._frame_tag + 1) % 256
            tags.append(self._frame_tag)
            frame = np.asarray(buffer[start : start + self._frame_bytes]).tobytes()
            self._queue.append((self._frame_tag, Packet(FRAME, self._frame_tag, frame).encoded()))
        self._last = tags
        self._transfers.append(tags)
        self._pump()

    def receive(self, buffer: Any, nbytes: int) -> None:
        """The buffer for the logits of the oldest transfer."""
        self._into = buffer

    def sending(self) -> bool:
        """Whether frames of the last transfer are not answered yet."""
        self._pump()
        waiting = {tag for tag, _ in self._queue} | self._flying.keys()
        return any(tag in waiting for tag in self._last)

    def receiving(self) -> bool:
        """Whether logits of the oldest transfer are missing."""
        self._pump()
        return not self._transfers or any(tag not in self._done for tag in self._transfers[0])

    def sent(self) -> int:
        """All bytes: each frame was answered."""
        return len(self._last) * self._frame_bytes

    def received(self) -> int:
        """Bytes of the oldest transfer's logits, which are in the buffer then."""
        found = b"".join(self._done.pop(tag) for tag in self._transfers.popleft())
        self._into[: len(found) // 4] = np.frombuffer(found, "<i4")
        return len(found)

    def reset(self) -> None:
        """Forget what is under way, and wait until the line is silent."""
        self._clear()
        self._send(b"\xc0\xc0")
        heard = time.monotonic()
        until = heard + self._answer_time
        while time.monotonic() - heard < _SILENCE and time.monotonic() < until:
            if self._listen():
                heard = time.monotonic()
            time.sleep(1e-3)
        self._answers.clear()

    def now(self) -> float:
        """The clock on the wall."""
        return time.monotonic()

    def pause(self) -> None:
        """Give up the processor for a moment."""
        time.sleep(100e-6)

    def power(self) -> dict[str, float]:
        """No board with a serial port that is known can read them."""
        return {}

    def _send(self, data: bytes) -> None:
        try:
            self._port.write(data)
        except OSError as error:
            raise TransferError(f"{self.name}: the port takes nothing: {error}") from error

    def _listen(self) -> bool:
        """Read what has come; whether there was something."""
        try:
            data = self._port.read(self._port.in_waiting) if self._port.in_waiting else b""
        except OSError as error:
            raise TransferError(f"{self.name}: the port gives nothing: {error}") from error
        for packet in self._decoder.feed(data):
            if packet.kind == LOGITS:
                if packet.tag in self._flying and len(packet.payload) == 4 * self._classes:
                    del self._flying[packet.tag]
                    self._done[packet.tag] = packet.payload
            elif packet.kind == REFUSED:
                self._hurry()
            else:
                self._answers[packet.tag] = packet
        return bool(data)

    def _hurry(self) -> None:
        """Something was refused, maybe a frame: which one shows, since the others are answered soon."""
        soon = time.monotonic() + self._answer_time / 2
        for flight in self._flying.values():
            flight.due = min(flight.due, soon)

    def _pump(self) -> None:
        """Send what may be sent, and once more what was not answered."""
        self._listen()
        now = time.monotonic()
        for tag, flight in self._flying.items():
            if now > flight.due:
                if flight.tries == _TRIES:
                    raise TransferError(f"{self.name}: image {tag} was sent {_TRIES} times, and there is no answer")
                flight.due, flight.tries = now + self._answer_time, flight.tries + 1
                self.resent += 1
                self._send(flight.packet)
        while self._queue and len(self._flying) < _WINDOW:
            tag, packet = self._queue.popleft()
            self._flying[tag] = _Flight(packet, now + self._answer_time)
            self._send(packet)


def open_serial(place: str, *, frame_bytes: int, classes: int, patience: float = 1.0) -> SerialLink:
    """The link at ``place``, a port's name or NAME@BAUD; DeviceError where there is none, or pyserial is missing."""
    path, _, speed = place.partition("@")
    if speed and not speed.isdecimal():
        raise DeviceError(f"serial:{place}: {speed!r} is no baud rate")
    baud = int(speed) if speed else BAUD
    try:
        import serial
    except ImportError as error:
        raise DeviceError("a serial port needs the package pyserial: pip install pyserial") from error
    try:
        port = serial.Serial(path, baud, timeout=0)
    except (OSError, ValueError) as error:
        raise DeviceError(f"serial:{place}: cannot be opened: {error}") from error
    name = f"serial-{path.strip('/').replace('/', '-')}"
    return SerialLink(port, name=name, frame_bytes=frame_bytes, classes=classes, baud=baud, patience=patience)
