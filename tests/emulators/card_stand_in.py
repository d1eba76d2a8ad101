"""An Alveo card as pynq shows it: registers of the accelerator and of the two movers, and memory in two banks.

Every register access lets time pass: a beat is sent, a logit received. The accelerator is that of
:mod:`tests.emulators.device_stand_in`, with room for a few frames inside; the movers keep to the control protocols of
UG1393.
"""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np

from bvit_hw.runtime import registers as reg
from tests.emulators.device_stand_in import INFO, SHAPE, logits

BEATS = INFO.frame_bytes // 8
#: frames that the accelerator takes before somebody takes logits
ROOM = 3
START, DONE, IDLE, CONTINUE = 1, 2, 4, 16
OFFSETS = {
    "mm2s": {"images": 0x10, "frames": 0x1C, "beats": 0x24},
    "s2mm": {"results": 0x10, "frames": 0x1C, "classes": 0x24},
}
BANKS = {"images": "HBM[0]", "results": "HBM[1]"}


class Buffer(np.ndarray):
    """The processor's side of a buffer; ``card`` is its twin in the card's memory."""

    card: np.ndarray
    device_address: int
    owner: Card

    def sync_to_device(self) -> None:
        self.card[:] = np.asarray(self)

    def sync_from_device(self) -> None:
        np.asarray(self)[:] = self.card

    def freebuffer(self) -> None:
        del self.owner.memory[self.device_address]


class Unit:
    """A mover's registers. ``protocol`` is ap_ctrl_hs or ap_ctrl_chain."""

    def __init__(self, card: Card, name: str, protocol: str) -> None:
        self.card, self.name, self.protocol = card, name, protocol
        self.words: dict[int, int] = {}
        self.status, self.left, self.starts = IDLE, 0, 0
        self.position = 0

    def read(self, offset: int) -> int:
        self.card.tick()
        assert offset == 0
        status = self.status
        if self.protocol == "ap_ctrl_hs":
            self.status &= ~DONE
        return status

    def write(self, offset: int, value: int) -> None:
        self.card.tick()
        if offset:
            self.words[offset] = value
            return
        if value & CONTINUE and self.status & DONE:
            self.status = IDLE
        if value & START:
            assert self.status == IDLE, f"{self.name} started while at work"
            frames, per_frame = self.words[0x1C], self.words[0x24]
            assert per_frame == (BEATS if self.name == "mm2s" else INFO.classes) and frames > 0
            self.status, self.left, self.position = 0, frames * per_frame, 0
            self.starts += 1

    @property
    def buffer(self) -> np.ndarray:
        """The card's memory that it works on."""
        return self.card.memory.get(self.words[0x10] | self.words[0x14] << 32, np.zeros(1 << 20, np.uint8))

    def moved(self) -> None:
        self.position += 1
        self.left -= 1
        if self.left == 0:
            self.status = DONE | (IDLE if self.protocol == "ap_ctrl_hs" else 0)


class Card:
    """An overlay: ``accelerator``, ``mm2s``, ``s2mm`` and ``ip_dict``. ``dead``: nothing moves any more.

    ``seconds`` is its own time, so that no test depends on how busy this machine is.
    """

    def __init__(self, protocol: str = "ap_ctrl_hs") -> None:
        self.accelerator = self
        self.mm2s, self.s2mm = Unit(self, "mm2s", protocol), Unit(self, "s2mm", protocol)
        self.ip_dict = {
            name: {
                "registers": {
                    argument: {"address_offset": offset, "memory": BANKS.get(argument)}
                    for argument, offset in offsets.items()
                }
            }
            for name, offsets in OFFSETS.items()
        }
        self.memory: dict[int, np.ndarray] = {}
        self.next_address = 0x8_0000_1000
        self.inside: deque[int] = deque()
        self.beats: list[np.ndarray] = []
        self.packet, self.flags, self.frames_in, self.frames_out, self.out = 1, 0, 0, 0, 0
        self.sent_beats = 0
        self.reset_at: int | None = None
        self.soft = False
        self.dead = False
        self.seconds = 0.0

    # what pynq is to the link

    def get_memory_by_name(self, name: str) -> SimpleNamespace:
        return SimpleNamespace(bank=name, card=self)

    def allocate(self, shape: tuple[int, ...], dtype: type, target: Any) -> Buffer:
        assert target.bank == {np.uint8: "HBM[0]", np.int32: "HBM[1]"}[dtype]
        buffer = np.zeros(shape, dtype).view(Buffer)
        buffer.card, buffer.owner, buffer.device_address = np.zeros(shape, dtype), self, self.next_address
        self.memory[self.next_address] = buffer.card
        self.next_address += 0x1_0000_0000 + 0x1000
        return buffer

    # the accelerator's registers

    def read(self, offset: int) -> int:
        self.tick()
        words = [int(INFO.model_hash[8 * n : 8 * n + 8], 16) for n in range(8)]
        values = dict(enumerate([reg.MAGIC_VALUE, INFO.interface_version, *words]))
        values = {4 * n: value for n, value in values.items()} | {
            reg.IMAGE_SIZE: INFO.height << 16 | INFO.width,
            reg.IMAGE_DEPTH: INFO.channels << 16 | INFO.classes,
            reg.LOGITS_EXPONENT: INFO.logits_exponent & 0xFFFFFFFF,
            reg.FLAGS: self.flags,
            reg.FRAMES_IN: self.frames_in,
            reg.FRAMES_OUT: self.frames_out,
            reg.PACKET_FRAMES: self.packet,
        }
        return values.get(offset, 0)

    def write(self, offset: int, value: int) -> None:
        self.tick()
        if offset == reg.PACKET_FRAMES:
            self.packet = value
        if offset == reg.CONTROL:
            if value & reg.CONTROL_SOFT_RESET:
                self.empty()
                self.packet = 1
            if value & reg.CONTROL_CLEAR:
                self.flags = self.frames_in = self.frames_out = 0

    def empty(self) -> None:
        """A soft reset: what is inside is dropped."""
        self.inside.clear()
        self.beats.clear()
        self.out = 0

    def tick(self) -> None:
        self.seconds += 20e-6
        if self.dead:
            return
        if self.mm2s.left and len(self.inside) < ROOM * INFO.classes:
            frames = self.mm2s.buffer.reshape(-1).view(np.uint8)
            self.beats.append(frames[8 * self.mm2s.position : 8 * self.mm2s.position + 8].copy())
            self.mm2s.moved()
            self.sent_beats += 1
            if self.mm2s.position % BEATS == 0:  # TLAST, a packet a frame
                if len(self.beats) == BEATS:
                    frame = np.concatenate(self.beats).reshape(1, *SHAPE)
                    self.inside.extend(int(x) for x in logits(frame)[0])
                    self.frames_in += 1
                else:
                    self.flags |= reg.FLAGS_FRAME_SHORT
                self.beats.clear()
            if self.sent_beats == self.reset_at:
                self.empty()
                self.packet = 1
                if not self.soft:
                    self.flags, self.frames_in, self.frames_out = 0, 0, 0
        if self.s2mm.left and self.inside:
            results, position = self.s2mm.buffer, self.s2mm.position
            word = self.inside.popleft()
            if results.dtype == np.int32:
                results[position] = word
            self.s2mm.moved()
            self.out += 1
            if self.out == INFO.classes:
                self.out, self.frames_out = 0, self.frames_out + 1
