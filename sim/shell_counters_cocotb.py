"""Counters of the accelerator's border at their full widths, under cocotb. test_shell.py runs it.

The bench puts each counter to shortly before a power of two, so that a bit that is missing, or a carry, shows.
"""

from __future__ import annotations

from typing import Any

from axi_bench import border_test, pauses
from cocotb.triggers import ClockCycles, FallingEdge, RisingEdge
from shell_bench import BYTES, Shell

from bvit_hw.runtime import registers as reg


async def preset(dut: Any, values: dict[Any, int]) -> None:
    """Put counters (signals inside the device) to these values, between two clock edges."""
    await FallingEdge(dut.ap_clk)
    for signal, value in values.items():
        signal.value = value
    await RisingEdge(dut.ap_clk)


async def cycles(shell: Shell) -> int:
    """The cycle counter's 64 bits."""
    low = await shell.read(reg.CYCLES_LOW)
    return await shell.read(reg.CYCLES_HIGH) << 32 | low


@border_test()
async def frame_counters(dut: Any) -> None:
    """Frames in, out and dropped carry into each of their 32 bits, and go on from 0 behind the last."""
    shell = Shell(dut, "frame counters")
    await shell.start()
    regs = dut.u_dut.u_regs
    for bit in range(1, 33):
        start = (1 << bit) - 1
        await preset(dut, {regs.in_q: start, regs.out_q: start, regs.dropped_q: start})
        assert (await shell.counters())[:3] == (start, start, start)
        frame = shell.frame()
        await shell.send(shell.frame(BYTES - 8))
        await shell.send(frame)
        await shell.expect([frame])
        await ClockCycles(dut.ap_clk, 4)
        due = 1 << bit & 0xFFFFFFFF
        seen = (await shell.counters())[:3]
        assert seen == (due, due, due), f"counters after {start:#x}: {[hex(n) for n in seen]}"


@border_test()
async def cycle_counter(dut: Any) -> None:
    """Cycles count through all 64 bits, and the two halves that are read belong together, whenever they are taken."""
    shell = Shell(dut, "cycle counter")
    await shell.start()
    shell.axi.read_if.r_channel.set_pause_generator(pauses(shell.rng, 0.7))
    for bit in range(6, 65):
        start = (1 << bit) - 10
        await preset(dut, {dut.u_dut.u_regs.cycle_q: start})
        before = await cycles(shell)
        await ClockCycles(dut.ap_clk, 20)
        after = await cycles(shell)
        assert start < before < start + 20, f"{before:#x} cycles soon after {start:#x}"
        assert 20 <= (after - before) % (1 << 64) < 90, f"{before:#x} cycles, and 20 later {after:#x}"
    # The low half has wrapped when the high half is read.
    for offset in range(1, 16):
        await preset(dut, {dut.u_dut.u_regs.cycle_q: (7 << 32) - offset})
        seen = await cycles(shell)
        assert (7 << 32) - 16 < seen < (7 << 32) + 32, f"halves {seen:#x} of two different moments"


@border_test()
async def measurements_in_full_width(dut: Any) -> None:
    """Latency and interval of any length, begun at any count of cycles."""
    shell = Shell(dut, "measurements")
    await shell.start()
    count = dut.u_dut.u_regs.cycle_q

    async def one(begin: int, skip: int) -> tuple[int, int]:
        """A frame that starts at ``begin`` cycles and is held up for ``skip`` more than it really is."""
        await preset(dut, {count: begin})
        shell.sink.pause = True
        frame = shell.frame()
        await shell.send(frame)
        await ClockCycles(dut.ap_clk, 80)
        await preset(dut, {count: (begin + 80 + skip) % (1 << 64)})
        shell.sink.pause = False
        await shell.expect([frame])
        await ClockCycles(dut.ap_clk, 4)
        return await shell.read(reg.FRAME_LATENCY), await shell.read(reg.FRAME_INTERVAL)

    plain = (await one(1000, 0))[0]
    assert 80 < plain < 120
    for begin in [*((1 << bit) - 50 for bit in range(8, 33)), *(1 << bit for bit in range(8, 33))]:
        for skip in (0x5A5A5A00, 0xA5A5A500):
            assert (await one(begin, skip))[0] == plain + skip, f"latency from {begin:#x} cycles on, {skip:#x} more"
    await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
    await one(5000, 0)
    for begin in [*(1 << bit for bit in range(13, 32)), (1 << 32) - 1000]:
        # From the end of the last frame, which began at 5000, and from this one's to that of the next.
        there, back = (await one(begin, 0))[1], (await one(5000, 0))[1]
        for interval, due in ((there, begin - 5000), (back, 5000 - begin)):
            assert abs(interval - due % (1 << 32)) < 4, f"interval {interval:#x}, about {due % (1 << 32):#x} are due"


@border_test()
async def packets_of_any_size(dut: Any) -> None:
    """Frames of a packet are counted in 16 bits at both ends."""
    shell = Shell(dut, "large packets")
    await shell.start()
    for frames in [*((1 << bit) + 1 for bit in range(1, 16)), *(1 << bit for bit in range(2, 16)), 65535]:
        await shell.write(reg.PACKET_FRAMES, frames)
        await preset(dut, {dut.u_dut.u_guard.frame_q: frames - 3, dut.u_dut.u_out.frame_q: frames - 3})
        sent = [shell.frame() for _ in range(3)]
        await shell.send(b"".join(sent))
        await shell.expect_packet(sent)
        await shell.quiet(100)
        seen = await shell.counters()
        assert seen == (3, 3, 0, 0), f"the last three of {frames} frames: {seen}"
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
