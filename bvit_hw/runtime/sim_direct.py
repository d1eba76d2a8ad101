"""The simulated device without the pynq library, for `bvit-hw run` and tests: the few of pynq's objects a link uses.

They keep pynq's own sequence of register accesses, so that the device under them cannot tell.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .engine_link import EngineLink
from .link import DmaLink
from .sim_model import SimulatedModel

_RUN, _HALTED, _IDLE, _ERRORS = 0x1, 0x1, 0x2, 0x70


class _Registers:
    """Registers from a base address on."""

    def __init__(self, model: SimulatedModel, base: int) -> None:
        self._model, self._base = model, base

    def read(self, offset: int) -> int:
        return self._model.read(self._base + offset)

    def write(self, offset: int, value: int) -> None:
        self._model.write(self._base + offset, value)


class _Buffer(np.ndarray):
    """An array with the address by which the device knows it."""

    device_address: int
    model: SimulatedModel

    def freebuffer(self) -> None:
        self.model.free(self.device_address)

    def flush(self) -> None:
        """Nothing to do: processor and device see the same memory."""

    invalidate = flush


class _Channel:
    """One direction of the DMA."""

    def __init__(self, registers: _Registers, offset: int) -> None:
        self._registers, self._offset = registers, offset
        self._first = True
        self.transferred = 0
        self.start()

    @property
    def _status(self) -> int:
        return self._registers.read(self._offset + 4)

    @property
    def idle(self) -> bool:
        return bool(self._status & _IDLE)

    @property
    def error(self) -> bool:
        return bool(self._status & _ERRORS)

    def start(self) -> None:
        self._registers.write(self._offset, _RUN)
        self._first = True

    def transfer(self, buffer: Any, nbytes: int = 0) -> None:
        if self._status & _HALTED:
            raise RuntimeError("DMA channel not started")
        if not self._first and not self.idle:
            raise RuntimeError("DMA channel not idle")
        self._registers.write(self._offset + 0x18, buffer.device_address & 0xFFFFFFFF)
        self._registers.write(self._offset + 0x1C, buffer.device_address >> 32)
        self._registers.write(self._offset + 0x28, nbytes or buffer.nbytes)
        self._first = False

    def wait(self) -> None:
        while not self.idle:
            if self.error:
                raise RuntimeError("DMA error")
        self.transferred = self._registers.read(self._offset + 0x28)


class DirectLink(DmaLink):
    """A DmaLink to a simulated model; ``model`` is there to provoke faults."""

    simulated = True

    def __init__(self, model: SimulatedModel, name: str) -> None:
        model.power_on()
        dma = _Registers(model, int(model.description["dma_base"]))
        overlay = SimpleNamespace(
            dma=SimpleNamespace(
                read=dma.read,
                write=dma.write,
                sendchannel=_Channel(dma, 0),
                recvchannel=_Channel(dma, 0x30),
                buffer_max_size=(1 << 26) - 1,
            ),
            accelerator=_Registers(model, int(model.description["registers_base"])),
        )
        super().__init__(overlay, _allocator(model), name=name, clock=_clock_of(model))
        self.model = model


class DirectEngineLink(EngineLink):
    """An EngineLink to a simulated model; ``model`` is there to provoke faults."""

    simulated = True

    def __init__(self, model: SimulatedModel, name: str) -> None:
        model.power_on()
        registers = _Registers(model, int(model.description["registers_base"]))
        clock = _clock_of(model)
        super().__init__(SimpleNamespace(accelerator=registers), _allocator(model), name=name, clock=clock)
        self.model = model


def _clock_of(model: SimulatedModel) -> Callable[[], float]:
    return lambda: model.cycle / model.clock_hz


def _allocator(model: SimulatedModel) -> Callable[..., _Buffer]:
    """What takes pynq.allocate's place."""

    def allocate(shape: tuple[int, ...], dtype: type) -> _Buffer:
        address, block = model.allocate(int(np.prod(shape)) * np.dtype(dtype).itemsize)
        buffer = block.view(dtype).reshape(shape).view(_Buffer)
        buffer.device_address, buffer.model = address, model
        return buffer

    return allocate


def open_direct(folder: Path, name: str) -> DirectLink:
    """A fresh simulated device."""
    return DirectLink(SimulatedModel(folder), name)


def open_engine_direct(folder: Path, name: str) -> DirectEngineLink:
    """A fresh simulated single engine."""
    return DirectEngineLink(SimulatedModel(folder), name)
