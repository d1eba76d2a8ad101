"""What the accelerator's border promises: beats held, cycles waited, bytes written. test_shell.py runs it."""

from __future__ import annotations

import itertools
import os
from typing import Any

from axi_bench import border_test
from cocotb.triggers import ClockCycles, RisingEdge
from shell_bench import BEATS, CLASSES, Shell

from bvit_hw.runtime import registers as reg

DEPTH = int(os.environ["BVIT_SHELL_DEPTH"])
STALL_CYCLES = 500


@border_test()
async def the_buffer_holds_its_depth(dut: Any) -> None:
    """With the receiver stopped so many beats are taken, not one more or less, and all come out."""
    shell = Shell(dut, "capacity")
    await shell.start()
    for _ in range(3):
        shell.sink.pause = True
        frames = [shell.frame() for _ in range(8)]
        for frame in frames:
            await shell.send(frame)
        taken = 0
        for _ in range(300):
            await RisingEdge(dut.ap_clk)
            taken += int(bool(dut.s_axis_tvalid.value and dut.s_axis_tready.value))
        # Behind the buffer: its two registers, a frame whose logits wait, and all but a beat of another.
        due = DEPTH + 2 + 2 * BEATS - 1
        assert taken == due, f"{taken} beats taken while no logit is, {due} are due"
        shell.sink.pause = False
        await shell.expect(frames)
        await shell.quiet(100)


@border_test()
async def a_slow_receiver_is_no_stalled_one(dut: Any) -> None:
    """A logit every 60 cycles: something waits all the time, nothing waits long; no flag."""
    shell = Shell(dut, "slow receiver")
    await shell.start()
    shell.sink.set_pause_generator(itertools.cycle([True] * 59 + [False]))
    frames = [shell.frame() for _ in range(5)]
    for frame in frames:
        await shell.send(frame)
    await ClockCycles(dut.ap_clk, 60 * CLASSES * len(frames) + 100)
    await shell.expect(frames)
    assert await shell.counters() == (5, 5, 0, 0)


@border_test()
async def stalled_after_so_many_cycles(dut: Any) -> None:
    """The flag says that a logit has waited for exactly that time, not that several have together."""
    shell = Shell(dut, "stalled")
    await shell.start()
    seen = set()
    for wait in range(STALL_CYCLES - 6, STALL_CYCLES + 4):
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        frame = shell.frame()
        shell.sink.pause = True
        await shell.send(frame)
        while not dut.m_axis_tvalid.value:
            await RisingEdge(dut.ap_clk)
        waited = 1
        while True:
            await RisingEdge(dut.ap_clk)
            if dut.m_axis_tready.value:
                break
            waited += 1
            shell.sink.pause = waited < wait
        await shell.expect([frame])
        flags = await shell.read(reg.FLAGS)
        due = reg.FLAGS_OUTPUT_STALLED if waited >= STALL_CYCLES else 0
        assert flags == due, f"flags {flags} after a logit that waited {waited} cycles"
        seen.add(waited)
    assert {STALL_CYCLES - 1, STALL_CYCLES} <= seen


@border_test()
async def bytes_that_strobes_leave_out(dut: Any) -> None:
    """Every combination of strobes: a byte left out is not written, whatever its lanes carry."""
    shell = Shell(dut, "strobes")
    await shell.start()
    for strobes in range(16):
        for value in (0xFFFFFFFF, 0, 0x5A5A5A5A, 0xA5A5A5A5):
            before = shell.rng.getrandbits(16)
            await shell.write(reg.PACKET_FRAMES, before)
            await shell.write_lanes(reg.PACKET_FRAMES, value, strobes)
            mask = 0xFF * (strobes & 1) | 0xFF00 * (strobes >> 1 & 1)
            due = value & mask | before & ~mask
            seen = await shell.read(reg.PACKET_FRAMES)
            assert seen == due, f"{before:#x} with strobes {strobes:04b} and {value:#x}: {seen:#x}, due {due:#x}"
        # CONTROL acts on byte 0 alone: clear without reset, reset without clear.
        written = strobes & 1
        before = await shell.read(reg.CYCLES_LOW)
        await shell.write_lanes(reg.CONTROL, ~reg.CONTROL_SOFT_RESET & 0xFFFFFFFF, strobes)
        assert await shell.read(reg.CONTROL) == 0
        after = await shell.read(reg.CYCLES_LOW)
        assert after < 30 if written else after > before, f"clear with strobes {strobes:04b}: {before}, {after} cycles"
        await shell.write(reg.PACKET_FRAMES, 7)
        await shell.write_lanes(reg.CONTROL, ~reg.CONTROL_CLEAR & 0xFFFFFFFF, strobes)
        assert await shell.read(reg.CONTROL) == written, f"reset with strobes {strobes:04b}"
        await ClockCycles(dut.ap_clk, 30)
        assert await shell.read(reg.PACKET_FRAMES) == (1 if written else 7)
        assert await shell.read(reg.CYCLES_LOW) > after
