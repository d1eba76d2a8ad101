"""Bus models around the accelerator's border: what the benches of the shell and of the whole accelerator share."""

from __future__ import annotations

import itertools
import logging
import os
import random
from collections.abc import Iterator
from functools import partial
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import ClockCycles, with_timeout
from cocotbext.axi import AxiLiteBus, AxiLiteMaster, AxiStreamBus, AxiStreamSink, AxiStreamSource

#: A test of the border. What one plays takes less than half of that time, so a hang shows after some seconds.
border_test = partial(cocotb.test, timeout_time=60, timeout_unit="us")
SEED = int(os.environ["COCOTB_RANDOM_SEED"])
PERIOD = 2  # ns


def pauses(rng: random.Random, share: float) -> Iterator[bool]:
    """For a bus model's pause generator: whether to pause, by chance, cycle after cycle."""
    return (rng.random() < share for _ in itertools.count())


class AxiBench:
    """Source of pixels, sink of logits, master of the registers; ``test`` makes a test's random numbers its own."""

    def __init__(self, dut: Any, test: str) -> None:
        self.dut = dut
        self.rng = random.Random(f"{SEED}-{test}")
        # Every transfer on a line of its own would cost as much time as the simulation.
        logging.getLogger(f"cocotb.{dut._name}").setLevel(logging.WARNING)
        reset = {"reset": dut.ap_rst_n, "reset_active_level": False}
        self.source = AxiStreamSource(AxiStreamBus.from_prefix(dut, "s_axis"), dut.ap_clk, **reset)
        self.sink = AxiStreamSink(AxiStreamBus.from_prefix(dut, "m_axis"), dut.ap_clk, **reset)
        self.axi = AxiLiteMaster(AxiLiteBus.from_prefix(dut, "s_axil"), dut.ap_clk, **reset)

    async def start(self) -> None:
        """Start the clock, and leave reset."""
        self.dut.ap_rst_n.value = 0
        cocotb.start_soon(Clock(self.dut.ap_clk, PERIOD, unit="ns", impl="gpi").start())
        await ClockCycles(self.dut.ap_clk, 8)
        self.dut.ap_rst_n.value = 1
        await ClockCycles(self.dut.ap_clk, 4)

    async def read(self, offset: int) -> int:
        """A register."""
        return int(await with_timeout(self.axi.read_dword(offset), 4000, "ns"))

    async def write(self, offset: int, value: int) -> None:
        """Write a register."""
        await with_timeout(self.axi.write_dword(offset, value), 4000, "ns")
