"""FRAME_LATENCY and FRAME_INTERVAL whatever comes before a frame and whenever it starts. test_shell.py runs it.

What they must say is computed from the beats seen at both ends, as docs/registers.md puts it.
"""

from __future__ import annotations

from typing import Any

import cocotb
from axi_bench import border_test
from cocotb.triggers import ClockCycles, RisingEdge
from shell_bench import BEATS, BYTES, Shell

from bvit_hw.runtime import registers as reg


class Watch:
    """Cycles in which frames began, were accepted or dropped, and ended, with one frame a packet."""

    def __init__(self, dut: Any, beats: int = BEATS) -> None:
        self.dut = dut
        self.length = beats
        self.forget()
        self.latency = self.interval = 0
        self.previous = (0, 0)  #: both before the last frame left
        cocotb.start_soon(self._run())

    def forget(self) -> None:
        """A reset of the datapath: what is inside is gone; both registers keep their values."""
        self.beats = 0  #: of the frame that is coming in
        self.holed = False
        self.dropping = False
        self.starts: list[int] = []  #: of frames accepted that are inside
        self.watched: int | None = None  #: the beginning of the frame that is watched
        self.ended: int | None = None

    def clear(self) -> None:
        """A clear: no frame is watched until the next one begins."""
        self.latency = self.interval = 0
        self.watched = self.ended = None

    async def _run(self) -> None:
        cycle = 0
        while True:
            await RisingEdge(self.dut.ap_clk)
            cycle += 1
            # A frame that begins in the cycle in which the watched one ends is not watched any more.
            if self.dut.s_axis_tvalid.value and self.dut.s_axis_tready.value:
                self._enter(cycle)
            if self.dut.m_axis_tvalid.value and self.dut.m_axis_tready.value and self.dut.m_axis_tlast.value:
                self._leave(cycle)

    def _enter(self, cycle: int) -> None:
        last = bool(self.dut.s_axis_tlast.value)
        if self.dropping:
            self.dropping = not last
            return
        if self.beats == 0:
            self.begun = cycle
            if self.watched is None:
                self.watched = cycle
            self.holed = False
        self.beats += 1
        self.holed |= self.dut.s_axis_tkeep.value != 0xFF
        full = self.beats == self.length
        if last and full and not self.holed:
            self.starts.append(self.begun)
        elif (last or full) and self.watched == self.begun:
            self.watched = None
        self.dropping = full and not last
        if last or full:
            self.beats = 0

    def _leave(self, cycle: int) -> None:
        start = self.starts.pop(0)
        self.previous = (self.latency, self.interval)
        if start == self.watched:
            self.latency, self.watched = cycle - start, None
        if self.ended is not None:
            self.interval = cycle - self.ended
        self.ended = cycle


async def agree(shell: Shell, watch: Watch, where: str) -> None:
    """Both registers say what was seen."""
    seen = await shell.read(reg.FRAME_LATENCY), await shell.read(reg.FRAME_INTERVAL)
    assert seen == (watch.latency, watch.interval), (
        f"{where}: latency and interval {seen}, due {(watch.latency, watch.interval)}"
    )


#: what comes right before the frame, in bytes
BEFORE = {"nothing": [], "good": [BYTES], "short": [BYTES - 8], "long": [BYTES + 24], "both": [BYTES + 8, BYTES, 8]}


@border_test()
@cocotb.parametrize(before=list(BEFORE))
async def at_every_offset(dut: Any, before: str) -> None:
    """Two frames, the second so many cycles behind the first: from back to back to behind its last logit."""
    shell = Shell(dut, f"offset-{before}")
    await shell.start()
    watch = Watch(dut)
    for gap in range(50):
        # A latency that is not written must not look like the last one: it is 0, and a frame before takes longer.
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        watch.clear()
        for length in BEFORE[before]:
            first = shell.rng.randrange(0, length, 8)
            await shell.drive(shell.frame(first), last=False)
            await ClockCycles(dut.ap_clk, shell.rng.randint(1, 4))
            await shell.drive(shell.frame(length - first))
        frames = [shell.frame(length) for length in BEFORE[before] if length == BYTES]
        frames += [shell.frame(), shell.frame()]
        for frame, pause in zip(frames[-2:], (gap, 0), strict=True):
            await shell.drive(frame)
            await ClockCycles(dut.ap_clk, pause)
        await ClockCycles(dut.ap_clk, 60)
        await agree(shell, watch, f"{before}, then a frame, then one {gap} cycles behind it")
        shell.sink.clear()


@border_test()
@cocotb.parametrize(clear=[False, True])
async def after_a_soft_reset(dut: Any, clear: bool) -> None:
    """A frame that a reset took away is not measured, nor is the time from it to the next one."""
    shell = Shell(dut, f"measure-reset-{clear}")
    await shell.start()
    watch = Watch(dut)
    swallowed = 0
    for delay in range(0, 3 * BEATS + 12):
        for _ in range(2):
            await shell.drive(shell.frame())
        await ClockCycles(dut.ap_clk, 60)
        await agree(shell, watch, "two frames")
        # Frames inside, held up or not; the last of them is cut where the delay is short.
        shell.sink.pause = delay % 2 == 1
        inside = cocotb.start_soon(shell.drive(shell.frame()))
        await ClockCycles(dut.ap_clk, delay + 1)
        await inside
        await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | (reg.CONTROL_CLEAR if clear else 0))
        await ClockCycles(dut.ap_clk, 30)
        # What came out before the reset was measured; what did not is forgotten, as is a last logit that the
        # receiver took in the reset's own cycle.
        if clear:
            watch.latency = watch.interval = 0
        elif (await shell.read(reg.FRAME_LATENCY), await shell.read(reg.FRAME_INTERVAL)) == watch.previous:
            swallowed += watch.previous != (watch.latency, watch.interval)
            watch.latency, watch.interval = watch.previous
        watch.forget()
        shell.sink.pause = False
        await agree(shell, watch, f"a reset {delay} cycles after a frame began")
        await ClockCycles(dut.ap_clk, shell.rng.randint(1, 20))
        await shell.drive(shell.frame())
        await ClockCycles(dut.ap_clk, 60)
        await agree(shell, watch, f"the first frame after a reset {delay} cycles after a frame began")
        shell.sink.clear()
    assert swallowed <= 1


@border_test()
async def frames_behind_a_slow_receiver(dut: Any) -> None:
    """The latency is the watched frame's own, however many are ahead of it."""
    shell = Shell(dut, "measure-slow")
    await shell.start()
    watch = Watch(dut)
    for trial in range(30):
        shell.sink.pause = True
        ahead = [shell.frame() for _ in range(shell.rng.randint(0, 3))]
        for frame in ahead:
            await shell.drive(frame)
        if trial % 3:
            # Frees the measurement for the next frame that starts.
            await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
            watch.clear()
        await shell.send(shell.frame())
        await ClockCycles(dut.ap_clk, shell.rng.randint(30, 90))
        for number in range(len(ahead) + 1):
            left = watch.ended
            shell.sink.pause = False
            while watch.ended == left:
                await RisingEdge(dut.ap_clk)
            shell.sink.pause = True
            await agree(shell, watch, f"{number + 1} frames have left of {len(ahead)} and the last")
        shell.sink.clear()
