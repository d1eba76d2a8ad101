"""Plays frames through the whole engine by its registers; engine_frames.py says which, and judges what came out."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, First, RisingEdge, Timer

from bvit_hw.engine.config import VERSION
from bvit_hw.runtime.engine_registers import MAGIC, Control, Register, Status

#: of a frame, in cycles
MOST = int(os.environ["BVIT_ENGINE_CYCLES"])
PERIOD = 2  # ns


class Registers:
    """The engine's registers, by its AXI4-Lite port."""

    def __init__(self, dut: Any) -> None:
        self.dut = dut

    async def write(self, offset: int, value: int) -> None:
        """A word; address and data are offered until both are taken."""
        dut = self.dut
        dut.s_axi_awaddr.value, dut.s_axi_wdata.value = offset, value
        dut.s_axi_wstrb.value, dut.s_axi_awvalid.value, dut.s_axi_wvalid.value = 15, 1, 1
        await self._until(dut.s_axi_awready)
        dut.s_axi_awvalid.value, dut.s_axi_wvalid.value = 0, 0
        await self._until(dut.s_axi_bvalid)

    async def read(self, offset: int) -> int:
        """A word."""
        dut = self.dut
        dut.s_axi_araddr.value, dut.s_axi_arvalid.value = offset, 1
        await self._until(dut.s_axi_arready)
        dut.s_axi_arvalid.value = 0
        await self._until(dut.s_axi_rvalid)
        return int(dut.s_axi_rdata.value)

    async def _until(self, signal: Any) -> None:
        for _ in range(100):
            await RisingEdge(self.dut.clk)
            if int(signal.value):
                return
        raise AssertionError(f"{signal._name} stays low")


@cocotb.test()
async def frames(dut: Any) -> None:
    """Each frame of frames.json; what the registers say of it goes to results.json."""
    registers, results = Registers(dut), []
    for name in ("awvalid", "wvalid", "arvalid"):
        getattr(dut, f"s_axi_{name}").value = 0
    dut.s_axi_bready.value, dut.s_axi_rready.value = 1, 1
    dut.dump.value, dut.mute.value, dut.error_addr.value, dut.rst.value = 0, 0, 0, 1
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns", impl="gpi").start())
    await ClockCycles(dut.clk, 8)
    dut.rst.value = 0
    await ClockCycles(dut.clk, 8)
    assert await registers.read(Register.MAGIC) == MAGIC and await registers.read(Register.VERSION) == VERSION
    identity = [await registers.read(Register.IDENTITY + 4 * i) for i in range(8)]
    assert identity[0] == 0x01234567 and identity[7] == 0x76543210 and await registers.read(Register.END) == 0
    clock = [await registers.read(Register.CLOCK) for _ in range(3)]
    assert 0 < clock[1] - clock[0] == clock[2] - clock[1] < 20 and await registers.read(Register.CLOCK_HIGH) == 0
    for frame in json.loads(Path("frames.json").read_text()):
        for name in (Register.PROGRAMME, Register.INPUT, Register.OUTPUT):
            await registers.write(name, frame[name.name.lower()])
            await registers.write(name + 4, 0)
            assert await registers.read(name) == frame[name.name.lower()]
        dut.error_addr.value = frame.get("error", 0)
        dut.mute.value = int(frame.get("mute", False))
        await registers.write(Register.CONTROL, 1 << Control.START)
        assert await registers.read(Register.STATUS) == 1 << Status.BUSY
        if frame["again"]:
            # A start while a frame is under way does nothing.
            await ClockCycles(dut.clk, 450)
            assert not int(dut.interrupt.value)
            await registers.write(Register.CONTROL, 1 << Control.START)
        if not int(dut.interrupt.value):
            await First(RisingEdge(dut.interrupt), Timer(PERIOD * MOST, unit="ns"))
        await RisingEdge(dut.clk)
        assert int(dut.interrupt.value), f"the frame has not ended after {MOST} cycles"
        found = {register.name: await registers.read(register) for register in Register if register < Register.END}
        results.append(found)
        if frame.get("mute"):
            # Nothing but a reset helps then.
            assert found["STATUS"] == 1 << Status.DONE | 1 << Status.BUSY
            dut.mute.value = 0
            await registers.write(Register.CONTROL, 1 << Control.SOFT_RESET)
            dut.rst.value = 1
            await ClockCycles(dut.clk, 4)
            dut.rst.value = 0
            await ClockCycles(dut.clk, 40)
    dut.dump.value = 1
    await ClockCycles(dut.clk, 4)
    Path("results.json").write_text(json.dumps(results))
