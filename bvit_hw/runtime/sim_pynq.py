"""The simulated device behind the pynq library's own Device interface: Overlay, allocate and DMA are the real ones.

Needs pynq 4.0 on an ordinary computer. What a board has besides the accelerator is imitated only as far as pynq looks
at it: the clock registers of a Zynq UltraScale+.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import numpy as np
import pynq
from pynq.buffer import PynqBuffer
from pynq.pl_server.device import Device

from .engine_link import EngineLink
from .errors import DeviceError
from .link import DmaLink
from .sim_model import SimulatedModel

#: clock registers by address: PLLs of 33.333 MHz times 90 by 2, PL clocks divided by 15, as after booting
_CLOCKS = {0xFF5E_0020: 90 << 8 | 1 << 16, 0xFF5E_0030: 90 << 8 | 1 << 16} | {
    0xFF5E_00C0 + 4 * index: 15 << 8 | 1 << 16 | 1 << 24 for index in range(4)
}
#: pages of those registers
_CLOCK_PAGES = (0xFF5E_0, 0xFD1A_0)


class SimulatedMemory:
    """Memory for :func:`pynq.allocate`; buffers return to it when freed."""

    def __init__(self, device: SimulatedDevice) -> None:
        self._device = device

    def allocate(self, shape: Any, dtype: Any, **_: Any) -> PynqBuffer:
        """A buffer of the device's memory; raises DeviceError when there is no room."""
        dtype = np.dtype(dtype)
        count = int(np.prod(shape))
        address, block = self._device.model.allocate(count * dtype.itemsize)
        buffer = PynqBuffer(shape, dtype, device=self._device, buffer=block, device_address=address, coherent=True)
        # With these pynq gives the memory back by return_pointer, once, and never to the kernel.
        buffer.pointer, buffer.return_to, buffer.memory, buffer.freed = address, self, self, True
        return buffer

    def return_pointer(self, pointer: int) -> None:
        """Called by pynq when a buffer is freed."""
        self._device.model.free(pointer)


class SimulatedDevice(Device):
    """One simulated device, out of a package's folder ``sim``; pass it to Overlay and allocate, or make it active."""

    def __init__(self, folder: str | Path) -> None:
        self.model = SimulatedModel(folder)
        super().__init__(f"bvit-simulated-{self.model.folder}")
        self.name = "bvit-hw simulated device"
        self.arch = "aarch64"  # whose clock registers pynq sets when it loads an overlay
        self.capabilities = {"REGISTER_RW": True}
        self.default_memory = SimulatedMemory(self)
        self._clocks = dict(_CLOCKS)

    @property
    def bitstream(self) -> str:
        """What to give to ``pynq.Overlay`` as the bitstream's name; the .hwh lies beside it."""
        return str(self.model.library)

    def get_bitfile_metadata(self, bitfile_name: str, partial: bool = False) -> Any:
        """Read the .hwh with pynq's own parser."""
        from pynqmetadata.frontends import Metadata
        from pynqmetadata.views.runtime import RuntimeMetadataParser

        handoff = Path(bitfile_name).with_suffix(".hwh")
        if Path(bitfile_name).resolve() != self.model.library or not handoff.is_file():
            raise DeviceError(f"{bitfile_name}: this simulated device holds {self.model.library} and its .hwh only")
        return RuntimeMetadataParser(Metadata(input=str(handoff)))

    def download(self, bitstream: Any, parser: Any = None) -> None:
        """As loading a bitstream does: everything as after power-on."""
        self.model.power_on()
        super().post_download(bitstream, parser)

    def read_registers(self, address: int, length: int) -> bytes:
        """What pynq's MMIO reads by."""
        words = [self._read(address + offset) for offset in range(0, length, 4)]
        return struct.pack(f"<{len(words)}I", *words)

    def write_registers(self, address: int, data: Any) -> None:
        """What pynq's MMIO writes by."""
        raw = bytes(data)
        for index, word in enumerate(struct.unpack(f"<{len(raw) // 4}I", raw)):
            self._write(address + 4 * index, word)

    def _read(self, address: int) -> int:
        if address >> 12 in _CLOCK_PAGES:
            return self._clocks.get(address, 0)
        return self.model.read(address)

    def _write(self, address: int, word: int) -> None:
        if address >> 12 in _CLOCK_PAGES:
            self._clocks[address] = word
        else:
            self.model.write(address, word)

    def flush(self, *_: Any) -> None:
        """Nothing to do: processor and device see the same memory."""

    invalidate = flush


class SimulatedDmaLink(DmaLink):
    """A DmaLink whose time is the simulation's; ``model`` is there to provoke faults."""

    simulated = True

    def __init__(self, overlay: Any, allocate: Any, model: SimulatedModel, *, name: str) -> None:
        super().__init__(overlay, allocate, name=name, clock=lambda: model.cycle / model.clock_hz)
        self.model = model


class SimulatedEngineLink(EngineLink):
    """An EngineLink whose time is the simulation's; ``model`` is there to provoke faults."""

    simulated = True

    def __init__(self, overlay: Any, allocate: Any, model: SimulatedModel, *, name: str) -> None:
        super().__init__(overlay, allocate, name=name, clock=lambda: model.cycle / model.clock_hz)
        self.model = model


_devices: dict[Path, SimulatedDevice] = {}


def simulated_device(folder: str | Path) -> SimulatedDevice:
    """The device of a folder; one a folder and process, as a board is one."""
    path = Path(folder).resolve()
    if path not in _devices:
        _devices[path] = SimulatedDevice(path)
    return _devices[path]


def _loaded(folder: Path) -> tuple[pynq.Overlay, SimulatedModel]:
    """The simulated device's overlay, loaded with pynq; the device is pynq's active one, as a board's only one is."""
    device = simulated_device(folder)
    Device.active_device = device
    return pynq.Overlay(device.bitstream), device.model


def open_pynq(folder: Path, name: str) -> SimulatedDmaLink:
    """A streaming accelerator's."""
    overlay, model = _loaded(folder)
    return SimulatedDmaLink(overlay, pynq.allocate, model, name=name)


def open_engine_pynq(folder: Path, name: str) -> SimulatedEngineLink:
    """A single engine's."""
    overlay, model = _loaded(folder)
    return SimulatedEngineLink(overlay, pynq.allocate, model, name=name)
