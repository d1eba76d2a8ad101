"""The single engine as Python sees it: load programmes, send pictures, receive logits, and come back from faults."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from .classifier import Classifier
from .devices import open_engine_link
from .engine_link import MemoryLink
from .engine_profile import COUNTED, LayerProfile, stretches
from .engine_registers import MAGIC, Control, Flag, Register, Status
from .errors import (
    DeviceError,
    DeviceResetError,
    DeviceTimeoutError,
    IdentityError,
    ImageError,
    PackageError,
    ProgrammeError,
    TransferError,
)
from .images import checked
from .model_info import ModelInfo
from .programme import COMMAND, FrameShape, model_of, read_programme

#: the programme of a package
PROGRAMME = "network.prog"
_BATCH_FRAMES = 256
#: registers read behind a reset, in which what DRAM still had to say has been said
_SETTLE = 32
_FAULTS = {
    Flag.READ_ERROR: "DRAM answered a read with an error",
    Flag.WRITE_ERROR: "DRAM answered a write with an error",
    Flag.ILLEGAL: "the programme in DRAM holds a command that is none",
}


class _Slot:
    """A frame's input and output in DRAM."""

    def __init__(self, link: MemoryLink, shape: FrameShape) -> None:
        self.input = link.allocate(shape.input_bytes, "a frame's input")
        try:
            self.output = link.allocate(shape.output_bytes, "a frame's output")
        except BaseException:
            self.input.freebuffer()
            raise

    def free(self) -> None:
        self.input.freebuffer()
        self.output.freebuffer()


class _Room:
    """A programme in DRAM."""

    def __init__(self, link: MemoryLink, body: bytes) -> None:
        self.buffer = link.allocate(len(body), "the programme")
        self.buffer[:] = np.frombuffer(body, np.uint8)
        link.written(self.buffer)

    def free(self) -> None:
        self.buffer.freebuffer()


class Engine(Classifier):
    """A board's single engine with a network loaded as a programme; use it as a context manager.

    ``bitstream`` is the package's bvit_hw.bit (its .hwh beside it), or the folder ``sim`` of a simulated device;
    ``model`` the package's model.json, ``programme`` a programme's file (default: both beside the bitstream).
    ``timeout`` is how many seconds a frame may take beyond twice the engine's computing time by the cycle model (of the
    device's own time where it is simulated); ``batch`` after how many images the driver looks whether the engine is
    still its own. ``link`` takes an open link instead.

    ``info`` is that of the network loaded. Raises IdentityError when another design is loaded, ProgrammeError as
    :meth:`load`, DeviceBusyError when another process has the device.
    """

    def __init__(
        self,
        bitstream: str | Path | None = None,
        model: str | Path | None = None,
        *,
        programme: str | Path | None = None,
        timeout: float | None = None,
        batch: int | None = None,
        link: MemoryLink | None = None,
    ) -> None:
        if (bitstream is None) == (link is None):
            raise TypeError("give a bitstream or a link, one of them")
        super().__init__(timeout, batch)
        if batch is not None and batch < 1:
            raise ValueError(f"batch={batch}; allowed: 1 or more images")
        self.batch = _BATCH_FRAMES if batch is None else int(batch)
        if model is None:
            if bitstream is None:
                raise TypeError("a link needs the model's model.json as well")
            model = Path(bitstream).absolute().parent / "model.json"
        self._engine = self.info = ModelInfo.read(model)
        if self._engine.engine is None:
            raise PackageError(f"{model}: of a streaming accelerator, not of an engine; Accelerator opens it")
        if bitstream is not None:
            link = open_engine_link(Path(bitstream).absolute(), self._claim)
        else:
            assert link is not None
            self._claim(link.name)
        assert link is not None
        self._link: MemoryLink = link
        self._held.link = link
        self.timeout = link.timeout if timeout is None else timeout
        self._lost = ""  # why the engine cannot be used any more, until it is loaded anew
        self._begun = self._done = 0  # frames since the counters were cleared
        self._addresses: dict[int, int] = {}
        self._room: _Room | None = None
        try:
            check_engine(self._engine, link.read)
            self.reset()
            self.load(Path(model).absolute().parent / PROGRAMME if programme is None else programme)
        except BaseException:
            self.close()
            raise

    def load(self, programme: str | Path) -> ModelInfo:
        """Load another network, compiled for this engine by `bvit-hw compile`; returns what it is, as ``info``.

        Raises ProgrammeError for a file that is none, truncated, damaged, of another version of the commands or of
        another engine, and where DRAM has no room for it; DeviceError while a stream is under way. The network that was
        loaded before stays then.
        """
        with self._held.guard:
            self._usable()
            if self._held.streaming:
                raise DeviceError("frames are under way: end or close the stream before another programme is loaded")
            described = self._engine.engine
            assert described is not None
            found = read_programme(programme, int(described["version"]))
            found.require(str(described["identity"]))
            shape = FrameShape.of(found)
            info = model_of(found, shape, self._engine)
            slots: list[Any] = []
            try:
                room = _Room(self._link, found.body)
                slots.append(room)
                for _ in range(2):
                    slots.append(_Slot(self._link, shape))  # each at once: where the next does not fit it is freed
                self._reachable(slots, int(described["address_bits"]))
            except BaseException:
                for slot in slots:
                    slot.free()
                raise
            before, self._held.slots = self._held.slots, slots
            for slot in before:
                slot.free()
            self.info, self._shape, self._room, self._programme = info, shape, room, found
            return info

    @staticmethod
    def _reachable(slots: list[Any], address_bits: int) -> None:
        for buffer in (slots[0].buffer, *(b for slot in slots[1:] for b in (slot.input, slot.output))):
            end = int(buffer.device_address) + buffer.nbytes
            if end > 1 << address_bits:
                raise ProgrammeError(f"DRAM up to {end:#x} was allocated; the engine reaches {1 << address_bits:#x}")

    def _transfers(self, pieces: Iterable[np.ndarray]) -> Generator[np.ndarray, None, None]:
        """Logits of each piece, in order; nothing is under way between them."""
        held = self._held
        with held.guard:
            self._usable()
            if held.streaming:
                raise DeviceError("a stream is under way on this engine; end or close it first")
            held.streaming = True
        try:
            for piece in pieces:
                with held.guard:
                    self._usable()
                    done = self._run(piece)
                yield done
        finally:
            held.streaming = False

    def _run(self, piece: np.ndarray) -> np.ndarray:
        """A piece's frames one after another; while one is computed the next is packed."""
        out = np.empty((len(piece), self.info.classes), np.int32)
        slots = self._held.slots[1:]
        try:
            self._still_ours()
            self._pack(piece[0], slots[0])
            for number in range(len(piece)):
                slot = slots[number % 2]
                self._start(slot)
                if number + 1 < len(piece):
                    self._pack(piece[number + 1], slots[(number + 1) % 2])
                self._finish(f"image {number} of {len(piece)}")
                self._link.changed(slot.output)
                out[number] = self._shape.result(slot.output)
        except BaseException:
            self._recover()
            raise
        return out

    def _pack(self, image: np.ndarray, slot: _Slot) -> None:
        self._shape.frame(image, slot.input)
        self._link.written(slot.input)

    def _still_ours(self) -> None:
        """Raise DeviceError where somebody else has the engine at work."""
        if self._status() >> Status.BUSY & 1:
            raise DeviceError("the engine is at work on a frame that is not this driver's")
        self._addresses.clear()

    def _start(self, slot: _Slot) -> None:
        assert self._room is not None
        for register, buffer in (
            (Register.PROGRAMME, self._room.buffer),
            (Register.INPUT, slot.input),
            (Register.OUTPUT, slot.output),
        ):
            address = int(buffer.device_address)
            for offset, word in ((register, address & 0xFFFFFFFF), (register + 4, address >> 32)):
                if self._addresses.get(offset) != word:
                    self._link.write(offset, word)
                    self._addresses[offset] = word
        self._begun += 1
        self._link.write(Register.CONTROL, 1 << Control.START)

    def _finish(self, what: str) -> None:
        """Wait for the end of a frame, so that one without end is an error and no hang; then look at its flags."""
        link, i = self._link, self.info
        limit = self.timeout + 2 * i.cycles_per_frame / (i.clock_mhz * 1e6)
        start = link.now()
        while True:
            status = self._status()
            if status >> Status.DONE & 1:
                break
            if not status >> Status.BUSY & 1:
                raise DeviceResetError(f"{what}: the engine was reset in the middle of a frame")
            if link.now() - start > limit:
                self._lost = f"a frame did not end within {limit:.3g} s"
                raise DeviceTimeoutError(f"{what}: no end after {limit:.3g} s; {self._state()}")
            link.pause()
        flags = link.read(Register.FLAGS)
        if flags >> Flag.TIMEOUT & 1:
            self._lost = "DRAM did not answer"
            raise DeviceTimeoutError(f"{what}: DRAM did not answer the engine; {self._state()}")
        causes = [text for flag, text in _FAULTS.items() if flags >> flag & 1]
        if causes:
            raise TransferError(f"{what}: {'; '.join(causes)}; {self._state()}")
        self._done += 1

    def _status(self) -> int:
        return self._link.read(Register.STATUS)

    def _state(self) -> str:
        read = self._link.read
        return (
            f"{read(Register.COMMANDS)} of {self._programme.commands} commands done in {read(Register.CYCLES)} cycles, "
            f"flags {read(Register.FLAGS):#x}"
        )

    def _recover(self) -> None:
        """Bring the engine to rest. One that waits for DRAM for ever is given up until its bitstream is loaded anew."""
        try:
            self._link.reset()
            if self._status() >> Status.BUSY & 1 and not self._lost:
                self._lost = "a frame did not end"
            self._soft_reset()
        except DeviceError as error:
            self._lost = self._lost or str(error)

    def _usable(self) -> None:
        self._require_open()
        if self._lost:
            raise DeviceError(f"the engine cannot be used: {self._lost}; connect again, which loads its bitstream anew")

    def _soft_reset(self) -> None:
        """Clears flags and counters; behind it nothing of before is still on its way."""
        self._link.write(Register.CONTROL, 1 << Control.SOFT_RESET)
        for _ in range(_SETTLE):
            self._status()
        self._addresses.clear()

    def counters(self) -> dict[str, int]:
        """Frames begun, ended and dropped, flags, cycles since the counters were cleared; the last frame's cycles.

        The engine computes one frame after another: ``cycles_per_frame`` and ``latency_cycles`` are both what the last
        frame took in it, without what the driver takes between frames. ``core_cycles`` of those the units worked.
        """
        self._require_open()
        read = self._link.read
        found = {name: read(Register[f"{name.upper()}_CYCLES"]) for name in ("core", "fetch", "load", "store")}
        cycles = read(Register.CYCLES)
        return {
            "frames_in": self._begun,
            "frames_out": self._done,
            "frames_dropped": self._begun - self._done,
            "flags": read(Register.FLAGS),
            "cycles": self._clock() - self._cleared,
            "cycles_per_frame": cycles,
            "latency_cycles": cycles,
            **{f"{name}_cycles": value for name, value in found.items()},
        }

    def _clock(self) -> int:
        low = self._link.read(Register.CLOCK)
        return low | self._link.read(Register.CLOCK_HIGH) << 32

    def reset(self) -> None:
        """Wait until no frame is under way, then clear flags and counters."""
        self._usable()
        self._link.reset()
        self._soft_reset()
        self.clear_counters()

    def clear_counters(self) -> None:
        """Set the counters of frames and of cycles to 0."""
        self._require_open()
        self._begun = self._done = 0
        self._cleared = self._clock()

    def profile(self, image: np.ndarray, by: str = "part") -> list[LayerProfile]:
        """Cycles of a frame by the network's parts ("part": stem, blocks, head) or by its nodes ("node").

        The engine counts for whole frames. So ``image`` runs once for each stretch of commands that belong together,
        each time with an end put behind it; what it takes longer than the one before is the stretch's. What is fetched
        beside the units for later ones is not seen so. On a board DRAM makes the figures differ from run to run.
        """
        frame = checked(image, self.info)
        if len(frame) != 1:
            raise ImageError(f"{len(frame)} images; a profile is of one")
        pieces = stretches(self._programme, by)
        with self._held.guard:
            self._usable()
            if self._held.streaming or self._room is None:
                raise DeviceError("frames are under way on this engine; end or close the stream first")
            slot, buffer = self._held.slots[1], self._room.buffer
            found: dict[str, list[int]] = {}
            before = [0] * 6
            try:
                self._still_ours()
                self._pack(frame[0], slot)
                for end, name in pieces:
                    place = slice(COMMAND * end, COMMAND * end + 8)
                    was = np.array(buffer[place])
                    buffer[place] = 0
                    self._link.written(buffer)
                    try:
                        self._start(slot)
                        self._finish(f"profile up to command {end}")
                    finally:
                        buffer[place] = was
                        self._link.written(buffer)
                    now = [self._link.read(register) for register in COUNTED]
                    more = [b - a for a, b in zip(before, now, strict=True)]
                    known = found.setdefault(name, [0] * 6)
                    found[name] = [a + b for a, b in zip(known, more, strict=True)]
                    before = now
            except BaseException:
                self._recover()
                raise
        return [LayerProfile(name, *numbers) for name, numbers in found.items()]


def check_engine(info: ModelInfo, read: Any) -> None:
    """Compare the registers, which ``read`` gives by offset, with ``info``; IdentityError says what differs."""
    assert info.engine is not None
    magic, version = read(Register.MAGIC), read(Register.VERSION)
    if magic != MAGIC:
        raise IdentityError(f"no single engine: magic is {magic:#010x}, not {MAGIC:#010x}")
    if version != info.engine["version"]:
        raise IdentityError(
            f"the engine takes commands of version {version}; the package is of version {info.engine['version']}"
        )
    loaded = "".join(f"{read(Register.IDENTITY + 4 * word):08x}" for word in range(8))
    if loaded != info.engine["identity"]:
        raise IdentityError(
            f"the bitstream holds another engine: {loaded[:16]}..., this package's is "
            f"{str(info.engine['identity'])[:16]}..."
        )
