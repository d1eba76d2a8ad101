"""Frames of a single beat, which begin and end in the same cycle, under cocotb. test_shell.py runs it."""

from __future__ import annotations

from typing import Any

from axi_bench import border_test
from cocotb.triggers import ClockCycles
from shell_bench import Shell
from shell_measure_cocotb import Watch, agree

from bvit_hw.runtime import registers as reg


@border_test()
async def frames_of_one_beat(dut: Any) -> None:
    """Good, long and holed ones in any order and at any distance: logits, counters, flags and measurements."""
    shell = Shell(dut, "one beat")
    await shell.start()
    watch = Watch(dut, beats=1)
    good: list[bytes] = []
    dropped = flags = 0
    for number in range(200):
        kind = shell.rng.choice(["good", "good", "long", "holed"])
        frame = shell.frame(8 * (shell.rng.randint(2, 4) if kind == "long" else 1))
        await shell.drive(frame, hole=shell.rng.randrange(8) if kind == "holed" else None)
        if kind == "good":
            good.append(frame)
        else:
            dropped += 1
            flags |= reg.FLAGS_FRAME_LONG if kind == "long" else reg.FLAGS_FRAME_SHORT
        await ClockCycles(dut.ap_clk, shell.rng.choice([0, 0, 1, 2, 3, shell.rng.randint(4, 30)]))
        if number % 10 == 9:
            await ClockCycles(dut.ap_clk, 40)
            await agree(shell, watch, f"{number + 1} frames, the last one {kind}")
    await shell.expect(good)
    await shell.quiet(100)
    assert await shell.counters() == (len(good), len(good), dropped, flags)
