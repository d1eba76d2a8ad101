"""The accelerator as Python sees it: load, check identity, send images, receive logits, and come back from faults."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from pathlib import Path

import numpy as np

from . import registers as reg
from .classifier import Classifier
from .devices import open_link
from .errors import DeviceError, DeviceResetError, DeviceTimeoutError, FrameError, TransferError
from .held import Slot
from .identity import check_identity
from .images import pack
from .link import Link
from .model_info import ModelInfo

#: bytes of pixels that a transfer carries at most, unless the user says otherwise
_BATCH_BYTES = 1 << 20
_BATCH_FRAMES = 256
#: polls of a transfer between two looks at the error flags
_LOOK = 16
_FAULTS = {
    reg.FLAGS_FRAME_SHORT: "a frame was too short",
    reg.FLAGS_FRAME_LONG: "a frame was too long",
    reg.FLAGS_PACKET_SHORT: "a transfer ended before its last frame",
}


class Accelerator(Classifier):
    """A loaded BinaryViT accelerator; use it as a context manager, which frees its buffers and the device.

    ``bitstream`` is the package's bvit_hw.bit (its .hwh beside it), bvit_hw.xclbin, or the folder ``sim`` of a
    simulated device; ``model`` the package's model.json (default: beside it). ``timeout`` is how many seconds a
    transfer may take beyond the device's computing time (of the device's own time where it is simulated); ``batch`` how
    many images one transfer carries at most. ``link`` takes an open link instead, for devices of other kinds.

    Raises IdentityError when another design or model is loaded, DeviceBusyError when another process has the device. An
    Accelerator of this process on the same device is closed first, so that a notebook's cell can be run again.
    """

    def __init__(
        self,
        bitstream: str | Path | None = None,
        model: str | Path | None = None,
        *,
        timeout: float | None = None,
        batch: int | None = None,
        link: Link | None = None,
    ) -> None:
        if (bitstream is None) == (link is None):
            raise TypeError("give a bitstream or a link, one of them")
        super().__init__(timeout, batch)
        self._packet: int | None = None  # the register PACKET_FRAMES as it was written last
        self._given: int | None = None  # the register FRAMES_OUT as it ought to be; None: not known
        if bitstream is not None:
            path = Path(bitstream).absolute()
            self.info = ModelInfo.read(path.parent / "model.json" if model is None else model)
            link = open_link(path, self.info, self._claim)
        else:
            if model is None:
                raise TypeError("a link needs the model's model.json as well")
            assert link is not None
            self.info = ModelInfo.read(model)
            self._claim(link.name)
        self._link = self._held.link = link
        self.timeout = link.timeout if timeout is None else timeout
        try:
            check_identity(self.info, link.read)
            i = self.info
            most = min(link.max_bytes // i.frame_bytes, link.max_bytes // (4 * i.classes), reg.PACKET_FRAMES_COUNT)
            usual = min(_BATCH_FRAMES, most, max(1, _BATCH_BYTES // i.frame_bytes))
            wanted = usual if batch is None else int(batch)
            if not 1 <= wanted <= most:
                raise ValueError(f"batch={wanted}; allowed: 1..{most} images a transfer")
            self.batch = wanted
            for _ in range(2):
                self._held.slots.append(Slot(link, i, wanted))
            self._recover()
        except BaseException:
            self.close()
            raise

    def _transfers(self, pieces: Iterable[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Logits of each piece, in order; two pieces are under way at once."""
        held = self._held
        with held.guard:
            self._require_open()
            if held.streaming:
                raise DeviceError("a stream is under way on this accelerator; end or close it first")
            held.streaming = True
        busy: Slot | None = None
        try:
            # Whatever was reset while nothing was under way does no harm.
            self._packet = None
            # Closing waits for a step, and a step for nothing but the device: the caller's images come in between.
            for number, piece in enumerate(pieces):
                with held.guard:
                    self._require_open()
                    slot = held.slots[number % 2]
                    done = self._start(piece, slot, busy, first=number == 0)
                    busy = slot
                if done is not None:
                    yield done
            if busy is not None:
                with held.guard:
                    self._require_open()
                    self._finish_sending(busy)
                    last, busy = self._collect(busy), None
                    held.streaming = False
                yield last
        except GeneratorExit:
            with held.guard:
                if busy is not None and not held.closed:
                    self._recover()
            raise
        except BaseException:
            with held.guard:
                if not held.closed:
                    self._recover_after_fault()
            raise
        finally:
            held.streaming = False

    def _start(self, piece: np.ndarray, slot: Slot, busy: Slot | None, *, first: bool) -> np.ndarray | None:
        """Send ``piece`` by ``slot`` behind the transfer of ``busy``; the logits of ``busy``, where there is one."""
        nbytes = pack(piece, slot.pixels)
        slot.frames = len(piece)
        done = None
        # A packet a frame is 0: that counts as 1, but a reset leaves 1 behind and so is noticed.
        packet = len(piece) if self._link.one_packet and len(piece) > 1 else 0
        if busy is not None and self._packet != packet:
            self._finish_sending(busy)
            done, busy = self._collect(busy), None  # the register wants nothing under way
        self._set_packet(packet)
        if first:
            self._given = self._link.read(reg.FRAMES_OUT)
        if busy is None:
            self._link.receive(slot.logits, slot.frames * self.info.classes * 4)
            self._link.send(slot.pixels, nbytes)
        else:
            self._finish_sending(busy)
            self._link.send(slot.pixels, nbytes)
            done = self._collect(busy)
            self._link.receive(slot.logits, slot.frames * self.info.classes * 4)
        return done

    def _set_packet(self, frames: int) -> None:
        if self._packet != frames:
            self._link.write(reg.PACKET_FRAMES, frames)
            self._packet = frames

    def _finish_sending(self, slot: Slot) -> None:
        wanted = slot.frames * self.info.frame_bytes
        self._wait(self._link.sending, f"sending {slot.frames} images", slot.frames)
        sent = self._link.sent()
        if sent != wanted:
            raise TransferError(f"the transfer was cut: {sent} of {wanted} bytes were sent; {self._state()}")

    def _collect(self, slot: Slot) -> np.ndarray:
        """Wait for the logits of a slot whose pixels have been sent, and be sure of them."""
        classes = self.info.classes
        self._wait(self._link.receiving, f"receiving the logits of {slot.frames} images", slot.frames)
        received, wanted = self._link.received(), slot.frames * classes * 4
        self._raise_flags()
        if received != wanted:
            raise TransferError(f"{received} of {wanted} bytes of logits came; {self._state()}")
        if self._given is not None:
            # As many bytes as were wanted, but other logits: some twice, and the last ones still on their way.
            self._given = (self._given + slot.frames) & 0xFFFFFFFF
            if self._link.read(reg.FRAMES_OUT) != self._given:
                self._raise_flags()  # a reset sets the counter to 0 too
                raise TransferError(f"the logits received are not those of {slot.frames} frames; {self._state()}")
        out = np.array(slot.logits[: slot.frames * classes], dtype=np.int32)
        return out.reshape(slot.frames, classes)

    def _wait(self, under_way: Callable[[], bool], what: str, frames: int) -> None:
        """Poll, so that a lost transfer ends in an error and never in a hang."""
        link = self._link
        # Two transfers may be in front of this one; a frame may take several intervals to come through.
        computing = (2 * frames + 64) * 2 * self.info.cycles_per_frame / (self.info.clock_mhz * 1e6)
        start = link.now()
        polls = 0
        while under_way():
            polls += 1
            if polls % _LOOK == 0:
                self._raise_flags()
            if link.now() - start > self.timeout + computing:
                self._raise_flags()
                raise DeviceTimeoutError(f"{what}: no end after {self.timeout + computing:.3g} s; {self._state()}")
            link.pause()

    def _raise_flags(self) -> None:
        """Raise what the accelerator has flagged since the last recovery."""
        flags = self._link.read(reg.FLAGS)
        causes = [text for flag, text in _FAULTS.items() if flags & flag]
        packet = self._link.read(reg.PACKET_FRAMES)
        if packet != self._packet:
            raise DeviceResetError(
                "the accelerator was reset in the middle of a batch"
                + (", by reset()" if self._packet is None else f": {packet} frames a packet, {self._packet} were set")
            )
        if causes:
            raise FrameError(f"the accelerator did not receive what was sent: {'; '.join(causes)}; {self._state()}")

    def _state(self) -> str:
        c = self.counters()
        return (
            f"frames in {c['frames_in']}, out {c['frames_out']}, dropped {c['frames_dropped']}, flags {c['flags']:#x}"
        )

    def _recover(self) -> None:
        """Bring DMA and accelerator to rest: nothing under way, flags and counters clear."""
        self._link.reset()
        self.reset()

    def _recover_after_fault(self) -> None:
        try:
            self._recover()
        except DeviceError:
            # The first error tells more; if the device is gone for good, the next call says so.
            self._packet = None

    def counters(self) -> dict[str, int]:
        """Frames in, out and dropped, flags and clock cycles since they were cleared; a frame's times in cycles."""
        self._require_open()
        read = self._link.read
        low = read(reg.CYCLES_LOW)
        return {
            "frames_in": read(reg.FRAMES_IN),
            "frames_out": read(reg.FRAMES_OUT),
            "frames_dropped": read(reg.FRAMES_DROPPED),
            "flags": read(reg.FLAGS),
            "cycles": low | read(reg.CYCLES_HIGH) << 32,
            "cycles_per_frame": read(reg.FRAME_INTERVAL),
            "latency_cycles": read(reg.FRAME_LATENCY),
        }

    def reset(self) -> None:
        """Drop every frame inside the accelerator and clear flags and counters."""
        self._require_open()
        self._packet = None
        self._link.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        for _ in range(1000):
            if not self._link.read(reg.CONTROL) & reg.CONTROL_SOFT_RESET:
                return
        raise DeviceResetError("the accelerator does not come out of its reset; load the bitstream again")

    def clear_counters(self) -> None:
        """Set flags and counters to 0; frames inside are left alone."""
        self._require_open()
        self._given = None
        self._link.write(reg.CONTROL, reg.CONTROL_CLEAR)
