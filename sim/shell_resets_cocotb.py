"""Resets and clears of the accelerator's border at every moment, under cocotb. test_shell.py runs it."""

from __future__ import annotations

from typing import Any

import cocotb
from axi_bench import border_test
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamFrame
from shell_bench import BEATS, BYTES, CLASSES, Shell
from shell_packets_cocotb import judge

from bvit_hw.runtime import registers as reg

FRAMES_AND_FLAGS = tuple[int, int, int, int]
#: what is under way when the reset comes: beats sent, frames a packet, whether the last beat has TLAST
TRAFFIC = {
    "good": (BEATS, 1, True),
    "short": (BEATS - 1, 1, True),
    "long": (BEATS + 1, 1, True),
    "packet-short": (BEATS, 2, True),
    "packet-open": (BEATS, 3, False),
}
#: cycles from the beginning of a write to the end of a reset, and more
SETTLED = 60


def after_reset(data: bytes, taken: int, last: bool) -> FRAMES_AND_FLAGS:
    """Counters and flags when only the beats after ``taken`` count, with one frame a packet."""
    rest = data[8 * taken :]
    if not rest:
        return (0, 0, 0, 0)
    if not last:  # judge() wants TLAST; without it there is a verdict only where the frame is full
        return (0, 0, int(len(rest) >= BYTES), reg.FLAGS_FRAME_LONG * (len(rest) >= BYTES))
    accepted, dropped, flags = judge([AxiStreamFrame(rest)], 1)
    return (len(accepted), len(accepted), dropped, flags)


def explain(seen: list[FRAMES_AND_FLAGS], data: bytes, last: bool) -> None:
    """The later the reset, the more beats it swallows: each observation follows from some number of them."""
    beats = len(data) // 8
    taken = 0
    for delay, counters in enumerate(seen):
        while taken <= beats and after_reset(data, taken, last) != counters:
            taken += 1
        assert taken <= beats, f"reset {delay} cycles after the first beat: counters {counters}, of all: {seen}"
    assert seen[-1] == (0, 0, 0, 0) and (len(set(seen)) > 1 or not last), f"no reset came late or early enough: {seen}"


@border_test()
@cocotb.parametrize(kind=["soft", "hard"], traffic=list(TRAFFIC))
async def clear_at_every_moment(dut: Any, kind: str, traffic: str) -> None:
    """A reset that clears leaves nothing behind, whatever happens in its cycle or in the next one."""
    shell = Shell(dut, f"clear-{kind}-{traffic}")
    await shell.start()
    beats, frames, last = TRAFFIC[traffic]
    data = shell.frame(8 * beats)
    seen: list[FRAMES_AND_FLAGS] = []
    for delay in range(BEATS + 14):
        await shell.write(reg.PACKET_FRAMES, frames)
        driver = cocotb.start_soon(shell.drive(data, last=last))
        await ClockCycles(dut.ap_clk, delay + 1)
        if kind == "soft":
            await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        else:
            await hard_reset(dut, 1)
        await driver
        await ClockCycles(dut.ap_clk, SETTLED)
        seen.append(await shell.counters())
        await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        await ClockCycles(dut.ap_clk, SETTLED)
        assert await shell.counters() == (0, 0, 0, 0)
        shell.sink.clear()
    explain(seen, data, last)


async def hard_reset(dut: Any, cycles: int) -> None:
    """ap_rst_n low, for so many rising edges."""
    dut.ap_rst_n.value = 0
    await ClockCycles(dut.ap_clk, cycles)
    dut.ap_rst_n.value = 1


@border_test()
async def soft_reset_in_a_packet(dut: Any) -> None:
    """PACKET_FRAMES goes back to 1 with the datapath, not before: no frame turns long, no TLAST comes early."""
    shell = Shell(dut, "soft reset in a packet")
    await shell.start()
    ends: list[int] = []

    async def watch() -> None:
        while True:
            await RisingEdge(dut.ap_clk)
            if dut.m_axis_tvalid.value and dut.m_axis_tready.value and dut.m_axis_tlast.value:
                ends.append(1)

    cocotb.start_soon(watch())
    swallowed = 0
    # From a reset behind the first beat to one behind the last logit of the frame.
    for delay in range(3 * BEATS + CLASSES + 10):
        await shell.write(reg.PACKET_FRAMES, 3)
        driver = cocotb.start_soon(shell.drive(shell.frame(), last=False))
        await ClockCycles(dut.ap_clk, delay + 2)
        await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET)
        await driver
        await ClockCycles(dut.ap_clk, SETTLED)
        entered, left, dropped, flags = await shell.counters()
        assert (dropped, flags) == (0, 0), f"reset {delay} cycles after the first beat: {dropped} dropped, {flags}"
        assert left <= entered <= 1 and not ends
        swallowed += entered - left
        assert await shell.read(reg.PACKET_FRAMES) == 1
        await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        await ClockCycles(dut.ap_clk, SETTLED)
        shell.sink.clear()
    assert (entered, left) == (1, 1) and swallowed > 5


@border_test()
@cocotb.parametrize(kind=["soft", "hard"])
async def stalled_output_is_cleared(dut: Any, kind: str) -> None:
    """A logit that has waited too long is forgotten with the flag that says so."""
    shell = Shell(dut, f"stalled-{kind}")
    await shell.start()
    for trial in range(3):
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        shell.sink.pause = True
        for _ in range(3):
            await shell.send(shell.frame())
        await ClockCycles(dut.ap_clk, 700 + trial)
        assert await shell.counters() == (3, 0, 0, reg.FLAGS_OUTPUT_STALLED)
        if kind == "soft":
            await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
        else:
            await hard_reset(dut, 1)
        await ClockCycles(dut.ap_clk, SETTLED)
        assert await shell.counters() == (0, 0, 0, 0)
        shell.sink.pause = False
        frame = shell.frame()
        await shell.send(frame)
        await shell.expect([frame])
        await shell.quiet()
        assert await shell.counters() == (1, 1, 0, 0)


@border_test()
@cocotb.parametrize(kind=["soft", "hard"])
async def nothing_of_a_cut_frame_stays(dut: Any, kind: str) -> None:
    """A hole in TKEEP, too many beats, beats of a frame: after a reset of one cycle the next frame is a good one."""
    shell = Shell(dut, f"cut-{kind}")
    await shell.start()
    for beats, hole in [(1, 3), (5, 17), (BEATS - 1, 0), (7, None), (BEATS + 3, None), (2 * BEATS, 9)]:
        await with_timeout(shell.drive(shell.frame(8 * beats), last=False, hole=hole), 4000, "ns")
        if kind == "soft":
            await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
            await ClockCycles(dut.ap_clk, SETTLED)
        else:
            await hard_reset(dut, 1)
            await ClockCycles(dut.ap_clk, 3)
        frames = [shell.frame() for _ in range(2)]
        for frame in frames:
            await shell.send(frame)
        await shell.expect(frames)
        await shell.quiet()
        assert await shell.counters() == (2, 2, 0, 0)
