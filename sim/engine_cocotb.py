"""Runs the clock of an engine's bench until it has finished; engine_bench.py judges what it wrote."""

from __future__ import annotations

import os
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

CYCLES = int(os.environ["BVIT_ENGINE_CYCLES"])


@cocotb.test()
async def finishes(dut: Any) -> None:
    """The bench says that it has finished."""
    dut.clk.value = 0
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns", impl="gpi").start())
    for _ in range(0, CYCLES, 200):
        await Timer(400, unit="ns")
        if int(dut.finished.value):
            return
    raise AssertionError(f"the engine has not finished after {CYCLES} cycles")
