"""Runs the clock of a bench in SystemVerilog that judges by itself; self_judging.py writes such benches."""

from __future__ import annotations

import os
from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import Timer

CYCLES, UNITS = int(os.environ["BVIT_UNIT_CYCLES"]), int(os.environ["BVIT_UNITS"])


@cocotb.test()
async def judged_by_itself(dut: Any) -> None:
    """An assertion of the bench ends the simulation; most of the cycles must have been judged."""
    dut.clk.value = 0
    cocotb.start_soon(Clock(dut.clk, 2, unit="ns", impl="gpi").start())
    await Timer(2 * CYCLES, unit="ns")
    packed = int(dut.judged.value)
    judged = [packed >> 32 * n & 0xFFFFFFFF for n in range(UNITS)]
    assert min(judged) > CYCLES // 4, f"{judged} of {CYCLES} cycles were judged"
