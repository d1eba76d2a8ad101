"""The accelerator on a PYNQ board: load, check identity, send images, receive logits."""

from __future__ import annotations

import time
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from . import registers as reg
from .errors import DeviceTimeoutError, FrameError, IdentityError
from .model_info import ModelInfo

_POLL_SECONDS = 50e-6


class Accelerator:
    """A loaded BinaryViT accelerator; use it as a context manager, which frees its buffers.

    ``bitstream`` is the .bit file (its .hwh beside it), ``model`` the package's model.json (default: beside the
    bitstream). ``overlay`` takes an object that is already loaded, with the attributes of ``pynq.Overlay``:
    ``dma`` (an AXI DMA in simple mode) and ``accelerator`` (registers: ``read(offset)``, ``write(offset, value)``);
    ``allocate(shape, dtype)`` then makes its buffers. Raises IdentityError when another design or model is loaded.
    """

    def __init__(
        self,
        bitstream: str | Path,
        model: str | Path | None = None,
        *,
        timeout: float = 1.0,
        overlay: Any = None,
        allocate: Any = None,
    ) -> None:
        self.info = ModelInfo.read(model if model is not None else Path(bitstream).with_name("model.json"))
        self.timeout = timeout
        if overlay is None:
            import pynq  # only where there is a board

            overlay, allocate = pynq.Overlay(str(bitstream)), pynq.allocate
        self._registers = overlay.accelerator
        self._dma = overlay.dma
        self._overlay = overlay
        self._check_identity()
        i = self.info
        self._pixels = allocate(shape=(i.frame_bytes,), dtype=np.uint8)
        self._logits = allocate(shape=(i.classes,), dtype=np.int32)

    def __enter__(self) -> Accelerator:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Free the buffers; further calls do nothing."""
        for name in ("_pixels", "_logits"):
            buffer = getattr(self, name, None)
            if buffer is not None and hasattr(buffer, "freebuffer"):
                buffer.freebuffer()
            setattr(self, name, None)

    def _check_identity(self) -> None:
        magic, version = self._registers.read(reg.MAGIC), self._registers.read(reg.VERSION)
        if magic != reg.MAGIC_VALUE:
            raise IdentityError(f"no BinaryViT accelerator: magic is {magic:#010x}, not {reg.MAGIC_VALUE:#010x}")
        if version != self.info.interface_version:
            needed = self.info.interface_version
            raise IdentityError(f"register interface version {version}; this driver needs {needed}")
        words = [self._registers.read(reg.MODEL_HASH + 4 * i) for i in range(8)]
        loaded = "".join(f"{word:08x}" for word in words)
        if loaded != self.info.model_hash:
            raise IdentityError(
                f"the bitstream holds another model: {loaded[:16]}..., this package's is {self.info.model_hash[:16]}..."
            )

    def logits(self, images: np.ndarray) -> np.ndarray:
        """Logits of uint8 images, N x height x width x channels (or one image): float32, N x classes.

        Raises FrameError for a wrong shape or type, DeviceTimeoutError when the accelerator does not answer in time.
        """
        return self.logits_int(images).astype(np.float32) * np.float32(2.0**self.info.logits_exponent)

    def logits_int(self, images: np.ndarray) -> np.ndarray:
        """The integers as they come from the accelerator, int32, N x classes: equal to the frozen model's."""
        i = self.info
        batch = np.asarray(images)
        if batch.ndim == 3:
            batch = batch[None]
        if batch.dtype != np.uint8 or batch.shape[1:] != (i.height, i.width, i.channels):
            raise FrameError(
                f"images are {batch.dtype} {batch.shape}; needed: uint8 N x {i.height} x {i.width} x {i.channels}"
            )
        if self._pixels is None:
            raise FrameError("the accelerator was closed")
        out = np.empty((len(batch), i.classes), np.int32)
        for n, image in enumerate(batch):
            self._pixels[:] = image.reshape(-1)
            self._pixels.flush()
            self._dma.recvchannel.transfer(self._logits)
            self._dma.sendchannel.transfer(self._pixels)
            self._wait(self._dma.sendchannel, f"sending image {n}")
            self._wait(self._dma.recvchannel, f"receiving the logits of image {n}")
            self._logits.invalidate()
            out[n] = self._logits
        return out

    def classify(self, images: np.ndarray) -> np.ndarray:
        """Index of the largest logit of each image, int64."""
        return np.asarray(self.logits_int(images).argmax(axis=1))

    def _wait(self, channel: Any, what: str) -> None:
        """Poll, so that a lost transfer ends in an error and never in a hang."""
        end = time.monotonic() + self.timeout
        while not channel.idle:
            if time.monotonic() > end:
                flags = self._registers.read(reg.FLAGS)
                raise DeviceTimeoutError(f"{what}: no end after {self.timeout} s; error flags {flags:#x}")
            time.sleep(_POLL_SECONDS)

    def counters(self) -> dict[str, int]:
        """Frames in, out and dropped, error flags, and cycles between the last two frames."""
        read = self._registers.read
        return {
            "frames_in": read(reg.FRAMES_IN),
            "frames_out": read(reg.FRAMES_OUT),
            "frames_dropped": read(reg.FRAMES_DROPPED),
            "flags": read(reg.FLAGS),
            "cycles_per_frame": read(reg.FRAME_INTERVAL),
            "latency_cycles": read(reg.FRAME_LATENCY),
        }

    def reset(self) -> None:
        """Drop everything in flight and clear flags and counters."""
        self._registers.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        self._registers.write(reg.CONTROL, 0)
