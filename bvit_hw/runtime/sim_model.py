"""The simulated device's shared library, by ctypes: registers, memory, time, and faults to try the driver with.

Needs NumPy only. sim_pynq.py puts it behind the pynq library, sim_direct.py in pynq's place.
"""

from __future__ import annotations

import ctypes
import json
import os
import threading
from pathlib import Path
from typing import Any

import numpy as np

from .errors import DeviceError, PackageError
from .sums import differences

_PAGE = 4096
_LOADED = ("device.json", "libaccelerator.so")

#: faults by name: what happens, and what ``after`` counts from now on
FAULTS = {
    "halt_send": 1,  # the DMA stops sending, beats sent
    "halt_receive": 2,  # the DMA stops receiving, logits received
    "reset": 3,  # the accelerator is reset by its pin, clock cycles
    "truncate": 4,  # the DMA ends the transfer early, with TLAST, beats sent
    "send_error": 5,  # the memory answers the DMA with an error, beats sent
}
#: those of a single engine
ENGINE_FAULTS = {
    "mute": 1,  # DRAM no longer answers, beats read and written
    "read_error": 2,  # DRAM answers a beat with an error, beats read
    "write_error": 3,  # DRAM answers a burst with an error, beats written
    "reset": 4,  # the engine is reset by its pin, clock cycles
}
#: marks that corrupt single beats on their way to the accelerator: TLAST inverted, a byte that TKEEP leaves out, the
#: beat lost, sent twice, all bytes left out; they may be added
FLIP_LAST, CLEAR_KEEP, SKIP, TWICE, NO_KEEP = 1, 2, 4, 8, 16


class SimulatedModel:
    """One Verilated accelerator with its DMA and memory, out of the folder ``folder`` (a package's ``sim``).

    Addresses are those of device.json. Time passes only in calls. Raises DeviceError for a folder that holds no
    simulated device, or a library that this machine cannot load.
    """

    # functions of the library, bound when it is loaded
    _close: Any
    _power_on: Any
    _read: Any
    _write: Any
    _map: Any
    _unmap: Any
    _run: Any
    _cycle: Any
    _fault: Any
    _mark: Any
    _mark_logit: Any
    # of a single engine's alone
    _dram: Any
    _interrupt: Any
    _broken: Any

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder).resolve()
        try:
            # Before it is loaded: a damaged library ends the process without a word.
            wrong = differences(self.folder) or differences(self.folder, set(_LOADED))
            if wrong:
                raise PackageError("; ".join(wrong))
            self.description: dict[str, Any] = json.loads((self.folder / "device.json").read_text())
            self.library = self.folder / "libaccelerator.so"
            self._lib = ctypes.CDLL(str(self.library))
            # Opening changes the working directory for a moment: no other Python thread may run meanwhile.
            opener = ctypes.PyDLL(str(self.library)).bvit_sim_open
        except (OSError, ValueError, AttributeError, PackageError) as error:
            raise DeviceError(
                f"{self.folder}: no simulated device that this machine can load ({error}); "
                "`bvit-hw build` makes one for the machine that it runs on"
            ) from error
        opener.argtypes, opener.restype = [ctypes.c_char_p], ctypes.c_void_p
        u32, u64, handle = ctypes.c_uint32, ctypes.c_uint64, ctypes.c_void_p
        self.is_engine = self.description.get("architecture") == "engine"
        self.faults = ENGINE_FAULTS if self.is_engine else FAULTS
        engines = [
            ("memory", [handle, u32, u32], None),
            ("interrupt", [handle], ctypes.c_int),
            ("broken", [handle], ctypes.c_char_p),
        ]
        streams = [
            ("mark", [handle, u64, u32], None),
            ("mark_logit", [handle, u64, u32], None),
        ]
        for name, arguments, result in (
            ("close", [handle], None),
            ("power_on", [handle], None),
            ("read", [handle, u32, ctypes.POINTER(u32)], ctypes.c_int),
            ("write", [handle, u32, u32], ctypes.c_int),
            ("map", [handle, u64, ctypes.c_void_p, u64], None),
            ("unmap", [handle, u64], None),
            ("run", [handle, u64], None),
            ("cycle", [handle], u64),
            ("fault", [handle, u32, u64], None),
            *(engines if self.is_engine else streams),
        ):
            function = getattr(self._lib, f"bvit_sim_{name}")
            function.argtypes, function.restype = arguments, result
            setattr(self, "_dram" if name == "memory" else f"_{name}", function)
        self._mutex = threading.Lock()
        self._memory: dict[int, np.ndarray] = {}
        self._handle = opener(os.fsencode(self.folder / "mem"))
        if not self._handle:
            raise DeviceError(f"{self.folder / 'mem'}: the simulated device's memory files are missing")

    def close(self) -> None:
        """End the simulation; further calls do nothing but fail."""
        with self._mutex:
            if self._handle:
                self._close(self._handle)
            self._handle = None
            self._memory.clear()

    def __del__(self) -> None:
        if getattr(self, "_handle", None):
            self.close()

    def _opened(self) -> int:
        if not self._handle:
            raise DeviceError(f"{self.folder}: the simulated device was closed")
        return self._handle  # type: ignore[no-any-return]

    @property
    def clock_hz(self) -> float:
        """The clock that cycles are counted as."""
        return float(self.description["clock_mhz"]) * 1e6

    @property
    def cycle(self) -> int:
        """Clock cycles since the simulation began."""
        with self._mutex:
            return int(self._cycle(self._opened()))

    def power_on(self) -> None:
        """As after a bitstream has been loaded: DMA and accelerator reset, no fault left."""
        with self._mutex:
            self._power_on(self._opened())

    def read(self, address: int) -> int:
        """A 32-bit word from the bus; raises DeviceError where nothing answers."""
        value = ctypes.c_uint32()
        with self._mutex:
            self._answered(self._read(self._opened(), address, ctypes.byref(value)), address)
        return value.value

    def write(self, address: int, value: int) -> None:
        """A 32-bit word to the bus; raises DeviceError where nothing answers."""
        with self._mutex:
            self._answered(self._write(self._opened(), address, value), address)

    def _answered(self, code: int, address: int) -> None:
        if code == 3:
            rule = self._broken(self._opened()).decode()
            raise DeviceError(f"simulated DRAM: the engine has broken a rule of AXI: {rule}; please report it")
        if code:
            raise DeviceError(f"simulated bus: {'no device' if code == 1 else 'no answer'} at address {address:#010x}")

    def run(self, cycles: int) -> None:
        """Let time pass."""
        with self._mutex:
            self._run(self._opened(), cycles)

    def inject(self, fault: str, after: int = 0) -> None:
        """Provoke one of :data:`FAULTS` once (an engine: :data:`ENGINE_FAULTS`), ``after`` beats or cycles from now."""
        with self._mutex:
            self._fault(self._opened(), self.faults[fault], after)

    def dram(self, latency: int, stall: int = 0) -> None:
        """Of a single engine: cycles from an address to its beat, and in how many of 16 cycles a channel hesitates."""
        with self._mutex:
            self._dram(self._opened(), latency, stall)

    @property
    def interrupt(self) -> bool:
        """Of a single engine: its interrupt's wire."""
        with self._mutex:
            return bool(self._interrupt(self._opened()))

    def corrupt(self, beat: int, mark: int) -> None:
        """Mark a beat (counted from the next one sent) with FLIP_LAST, CLEAR_KEEP, SKIP, TWICE or NO_KEEP."""
        with self._mutex:
            self._mark(self._opened(), beat, mark)

    def corrupt_logits(self, beat: int, mark: int) -> None:
        """Mark a logit (counted from the next one received) with FLIP_LAST, SKIP or TWICE."""
        with self._mutex:
            self._mark_logit(self._opened(), beat, mark)

    def heal(self) -> None:
        """Forget faults and marks that have not come to pass."""
        with self._mutex:
            self._fault(self._opened(), 0, 0)

    def allocate(self, nbytes: int) -> tuple[int, np.ndarray]:
        """Memory that the device can reach: bus address, and bytes (uint8); raises DeviceError when it is full."""
        size = -(-max(nbytes, 1) // _PAGE) * _PAGE
        base, end = int(self.description["memory_base"]), int(self.description["memory_size"])
        end += base
        with self._mutex:
            handle = self._opened()
            address = base
            for start in sorted(self._memory):
                if start - address >= size:
                    break
                address = start + self._memory[start].nbytes
            if address + size > end:
                raise DeviceError(f"simulated memory: {size} bytes do not fit beside {len(self._memory)} buffers")
            block = np.zeros(size, np.uint8)
            self._memory[address] = block
            self._map(handle, address, block.ctypes.data, size)
        return address, block[:nbytes]

    def free(self, address: int) -> None:
        """Give memory back; the device no longer reaches it."""
        with self._mutex:
            if self._handle and self._memory.pop(address, None) is not None:
                self._unmap(self._handle, address)
