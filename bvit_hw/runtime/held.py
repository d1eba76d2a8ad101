"""What an open accelerator holds of its device, and how it lets go of it."""

from __future__ import annotations

import os
import threading
import weakref
from contextlib import suppress

from .errors import DeviceError
from .link import Link
from .lock import DeviceLock
from .model_info import ModelInfo


class Slot:
    """Buffers of one of the two transfers that may be under way, and how many frames it carries."""

    def __init__(self, link: Link, info: ModelInfo, batch: int) -> None:
        self.pixels = link.allocate_pixels(batch * info.frame_bytes)
        self.logits = link.allocate_logits(batch * info.classes)
        self.frames = 0

    def free(self) -> None:
        for buffer in (self.pixels, self.logits):
            buffer.freebuffer()


_all: weakref.WeakSet[Held] = weakref.WeakSet()
_inherited: list[Held] = []


class Held:
    """What an accelerator holds of the device: buffers and the lock. Let go of once, even if nobody closes it."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.link: Link | None = None
        self.slots: list[Slot] = []
        self.lock: DeviceLock | None = None
        self.streaming = False
        self.closed = False
        self.whose = ""  # in a process forked from the one that opened the device: what to say of that
        _all.add(self)

    def release(self) -> None:
        """Stop what is under way, then free the buffers that it writes to, then let others have the device."""
        if self.whose:
            return
        with self.guard:
            self.closed = True
            slots, self.slots = self.slots, []
            if slots and self.streaming and self.link is not None:
                with suppress(DeviceError):  # a device that is gone writes nowhere either
                    self.link.reset()
            for slot in slots:
                slot.free()
            lock, self.lock = self.lock, None
            if lock is not None:
                lock.release()

    def leave(self) -> None:
        """After a fork, in the child: the device stays the parent's, which alone resets and frees."""
        if self.closed:
            return
        self.closed = True
        self.whose = f"was opened by process {os.getppid()}, which this one was forked from; connect in this one"
        self.guard = threading.RLock()  # another thread, which is not here, may have held the other one
        if self.lock is not None:
            self.lock.leave()
        _inherited.append(self)  # a buffer that is collected frees itself, and it is not ours


def _leave_all() -> None:
    for held in list(_all):
        held.leave()


os.register_at_fork(after_in_child=_leave_all)
