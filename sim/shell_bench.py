"""Bus models around the accelerator's border, and what its stand-in for the network makes of frames."""

from __future__ import annotations

import itertools
import os
import random
from collections.abc import Iterable, Iterator
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamFrame, AxiStreamSink, AxiStreamSource

from bvit_hw.runtime import registers as reg

BYTES, CLASSES, OFFSET, BEATS = 96, 5, 1000, 12
PERIOD = 2
SEED = int(os.environ["COCOTB_RANDOM_SEED"])


def expected(frame: bytes) -> list[int]:
    """What the stand-in of device_stand_in.sv makes of a frame."""
    return [sum(frame[c::8]) - OFFSET for c in range(CLASSES)]


def pauses(rng: random.Random, density: float) -> Iterator[bool]:
    return (rng.random() < density for _ in itertools.count())


class Shell:
    """Bus models around the device."""

    def __init__(self, dut: Any, test: str) -> None:
        self.dut = dut
        self.rng = random.Random(f"{SEED}-{test}")
        reset = {"reset": dut.ap_rst_n, "reset_active_level": False}
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.ap_clk, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.ap_clk, **reset)
        self.axi = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.ap_clk, **reset)

    async def start(self) -> None:
        self.dut.ap_rst_n.value = 0
        cocotb.start_soon(Clock(self.dut.ap_clk, PERIOD, unit="ns", impl="gpi").start())
        await ClockCycles(self.dut.ap_clk, 5)
        self.dut.ap_rst_n.value = 1
        await ClockCycles(self.dut.ap_clk, 2)

    async def read(self, offset: int) -> int:
        return int(await with_timeout(self.axi.read_dword(offset), 2000, "ns"))

    async def write(self, offset: int, value: int) -> None:
        await with_timeout(self.axi.write_dword(offset, value), 2000, "ns")

    def frame(self, length: int = BYTES) -> bytes:
        return self.rng.randbytes(length)

    async def send(self, data: bytes) -> None:
        await self.source.send(AxiStreamFrame(data))

    async def expect(self, frames: Iterable[bytes]) -> None:
        """The logits of these frames, in order, each ended by TLAST."""
        for number, frame in enumerate(frames):
            got = await with_timeout(self.sink.recv(), 20000, "ns")
            words = [int.from_bytes(got.tdata[i : i + 4], "little", signed=True) for i in range(0, len(got.tdata), 4)]
            assert words == expected(frame), f"frame {number}: logits {words}, expected {expected(frame)}"

    async def quiet(self) -> None:
        """Nothing more comes out."""
        await ClockCycles(self.dut.ap_clk, 400)
        assert self.sink.empty(), f"surplus logits: {self.sink.recv_nowait()}"

    async def counters(self) -> tuple[int, int, int, int]:
        """Frames in, out, dropped; flags."""
        return tuple([await self.read(o) for o in (reg.FRAMES_IN, reg.FRAMES_OUT, reg.FRAMES_DROPPED, reg.FLAGS)])  # type: ignore[return-value]
