"""What an open accelerator holds of its device, and how it lets go of it."""

from __future__ import annotations

import threading
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


class Held:
    """What an accelerator holds of the device: buffers and the lock. Let go of once, even if nobody closes it."""

    def __init__(self) -> None:
        self.guard = threading.RLock()
        self.link: Link | None = None
        self.slots: list[Slot] = []
        self.lock: DeviceLock | None = None
        self.streaming = False
        self.closed = False

    def release(self) -> None:
        """Stop what is under way, then free the buffers that it writes to, then let others have the device."""
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
