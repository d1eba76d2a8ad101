"""The accelerator's border under cocotb: registers, frames good and malformed, resets. test_shell.py runs it."""

from __future__ import annotations

from typing import Any

import cocotb
from axi_bench import border_test, pauses
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from shell_bench import BEATS, BYTES, CLASSES, Shell

from bvit_hw.runtime import registers as reg
from bvit_hw.runtime.identity import to_signed


@border_test()
async def identity(dut: Any) -> None:
    """Magic, version, hash, image, exponent; nothing where there is no register; writes to them change nothing."""
    shell = Shell(dut, "identity")
    await shell.start()
    wanted = {
        reg.MAGIC: reg.MAGIC_VALUE,
        reg.VERSION: reg.VERSION_VALUE,
        reg.IMAGE_SIZE: 4 << 16 | 8,
        reg.IMAGE_DEPTH: 3 << 16 | CLASSES,
        reg.LOGITS_EXPONENT: -7 & 0xFFFFFFFF,
        reg.CONTROL: 0,
        reg.FLAGS: 0,
        reg.PACKET_FRAMES: 1,
        0x5C: 0,
        0x7C: 0,
        0x80: 0,
        0xFFC: 0,
    }
    digest = "00112233445566778899aabbccddeefffedcba98765432100f1e2d3c4b5a6978"
    wanted |= {reg.MODEL_HASH + 4 * n: int(digest[8 * n : 8 * n + 8], 16) for n in range(reg.MODEL_HASH_WORDS)}
    for offset, value in wanted.items():
        assert await shell.read(offset) == value, f"register {offset:#x}"
    assert to_signed(await shell.read(reg.LOGITS_EXPONENT)) == -7
    for offset in (reg.MAGIC, reg.MODEL_HASH, reg.FRAMES_IN, 0x5C, 0xFFC):
        await shell.write(offset, 0xFFFFFFFF)
    for offset, value in wanted.items():
        assert await shell.read(offset) == value, f"register {offset:#x} after writes"
    low = await shell.read(reg.CYCLES_LOW)
    await ClockCycles(dut.ap_clk, 100)
    assert 100 <= await shell.read(reg.CYCLES_LOW) - low < 130
    assert await shell.read(reg.CYCLES_HIGH) == 0


@border_test()
async def registers_under_backpressure(dut: Any) -> None:
    """The bus keeps its rules when every channel pauses at random."""
    shell = Shell(dut, "backpressure")
    await shell.start()
    interfaces = (shell.axi.write_if, shell.axi.read_if)
    channels = [c for i in interfaces for n in ("aw", "w", "b", "ar", "r") if (c := getattr(i, f"{n}_channel", None))]
    assert len(channels) == 5
    for channel in channels:
        channel.set_pause_generator(pauses(shell.rng, 0.6))
    for _ in range(30):
        await ClockCycles(dut.ap_clk, 200)
        assert await shell.read(reg.MAGIC) == reg.MAGIC_VALUE
        before = await shell.read(reg.CYCLES_LOW)
        # Only a write of bit 1 to CONTROL itself, byte 0 enabled, clears the cycle counter.
        offset, value = shell.rng.choice(
            [
                (reg.CONTROL, 0),
                (reg.CONTROL, reg.CONTROL_CLEAR),
                (reg.CONTROL + 4, reg.CONTROL_CLEAR),
                (reg.CONTROL + 1, reg.CONTROL_CLEAR),
                (reg.CONTROL + 0x100, reg.CONTROL_CLEAR),
            ]
        )
        cleared = (offset, value) == (reg.CONTROL, reg.CONTROL_CLEAR)
        await with_timeout(shell.axi.write(offset, bytes([value])), 2000, "ns")
        after = await shell.read(reg.CYCLES_LOW)
        assert after < 150 if cleared else after > before, f"write of {value} to {offset:#x}: cycles {before}, {after}"


@border_test()
@cocotb.parametrize(traffic=["full", "starved", "stalled", "both"])
async def malformed_frames(dut: Any, traffic: str) -> None:
    """Short, long and holed frames between good ones: dropped whole, flagged, counted; the good ones are served."""
    shell = Shell(dut, f"malformed-{traffic}")
    await shell.start()
    if traffic in ("starved", "both"):
        shell.source.set_pause_generator(pauses(shell.rng, 0.5))
    if traffic in ("stalled", "both"):
        shell.sink.set_pause_generator(pauses(shell.rng, 0.7))
    good: list[bytes] = []
    counts, flags = [0, 0, 0, 0], 0
    # Border cases first, then a random mixture; each malformed frame has a good one right behind it.
    lengths = [BYTES, BYTES - 8, BYTES, BYTES + 8, BYTES, 8, BYTES, 3 * BYTES, BYTES, 2 * BYTES, BYTES, BYTES - 3]
    lengths += [shell.rng.choice([BYTES, BYTES, 8 * shell.rng.randint(1, 40)]) for _ in range(40)]
    for length in lengths:
        frame = shell.frame(length)
        await shell.send(frame)
        counts[0 if length == BYTES else 2] += 1
        flags |= (reg.FLAGS_FRAME_SHORT if length < BYTES else 0) | (reg.FLAGS_FRAME_LONG if length > BYTES else 0)
        if length == BYTES:
            good.append(frame)
    await shell.expect(good)
    await with_timeout(shell.source.wait(), 20000, "ns")
    await shell.quiet()
    assert await shell.counters() == (counts[0], counts[0], counts[2], flags)


@border_test()
async def flags_one_by_one(dut: Any) -> None:
    """Each fault sets its own flag only; they stay until cleared, and clearing zeroes the counters."""
    shell = Shell(dut, "flags")
    await shell.start()
    for length, flag in ((BYTES - 8, reg.FLAGS_FRAME_SHORT), (BYTES + 8, reg.FLAGS_FRAME_LONG)):
        await shell.send(shell.frame(length))
        frame = shell.frame()
        await shell.send(frame)
        await shell.expect([frame])
        await shell.quiet()
        assert await shell.counters() == (1, 1, 1, flag)
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        assert await shell.counters() == (0, 0, 0, 0)
        assert await shell.read(reg.CYCLES_LOW) < 200
    shell.sink.pause = True
    frame = shell.frame()
    await shell.send(frame)
    await ClockCycles(dut.ap_clk, 400)
    assert await shell.read(reg.FLAGS) == 0
    await ClockCycles(dut.ap_clk, 400)
    assert await shell.read(reg.FLAGS) == reg.FLAGS_OUTPUT_STALLED
    shell.sink.pause = False
    await shell.expect([frame])


@border_test()
async def full_rate(dut: Any) -> None:
    """Back to back frames go through at a beat a cycle; the interval and latency registers tell the truth."""
    shell = Shell(dut, "full rate")
    await shell.start()
    frames = [shell.frame() for _ in range(30)]
    for frame in frames:
        await shell.send(frame)
    refused = taken = 0
    while taken < BEATS * len(frames):
        await RisingEdge(dut.ap_clk)
        if dut.s_axis_tvalid.value and not dut.s_axis_tready.value:
            refused += 1
        taken += int(bool(dut.s_axis_tvalid.value and dut.s_axis_tready.value))
    await shell.expect(frames)
    assert refused == 0, f"the entrance refused {refused} beats"
    assert await shell.read(reg.FRAME_INTERVAL) == BEATS
    # A lone frame: all its beats, the way through the buffer, the stand-in's logits.
    await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
    assert await shell.read(reg.FRAME_LATENCY) == 0
    await ClockCycles(dut.ap_clk, 50)
    lone = shell.frame()
    first = last = 0
    await shell.send(lone)
    for cycle in range(200):
        await RisingEdge(dut.ap_clk)
        if not first and dut.s_axis_tvalid.value and dut.s_axis_tready.value:
            first = cycle
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value and dut.m_axis_tlast.value:
            last = cycle
    await shell.expect([lone])
    assert await shell.read(reg.FRAME_LATENCY) == last - first > BEATS
    assert await shell.read(reg.FRAME_INTERVAL) == 0


@border_test()
async def latency_with_frames_ahead(dut: Any) -> None:
    """With frames waiting for a slow receiver, the latency is the watched frame's own, not its predecessor's."""
    shell = Shell(dut, "latency")
    await shell.start()
    shell.sink.pause = True
    frames = [shell.frame() for _ in range(3)]
    starts: list[int] = []
    ends: list[int] = []

    async def watch() -> None:
        beats = cycle = 0
        while len(ends) < len(frames):
            await RisingEdge(dut.ap_clk)
            if dut.s_axis_tvalid.value and dut.s_axis_tready.value:
                if beats % BEATS == 0:
                    starts.append(cycle)
                beats += 1
            if dut.m_axis_tvalid.value and dut.m_axis_tready.value and dut.m_axis_tlast.value:
                ends.append(cycle)
            cycle += 1

    watcher = cocotb.start_soon(watch())
    for frame in frames:
        await shell.send(frame)
    await ClockCycles(dut.ap_clk, 150)
    # The first frame was watched; clearing frees the measurement for the next one that starts.
    await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
    frames.append(shell.frame())
    await shell.send(frames[-1])
    shell.sink.pause = False
    await shell.expect(frames)
    await watcher
    assert await shell.read(reg.FRAME_LATENCY) == ends[3] - starts[3]


@border_test()
async def soft_reset_in_mid_frame(dut: Any) -> None:
    """The datapath forgets everything, the registers stay; what is left of the cut frame is dropped as short."""
    shell = Shell(dut, "soft reset")
    await shell.start()
    for trial in range(6):
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        shell.sink.pause = True
        shell.source.set_pause_generator(pauses(shell.rng, 0.3 * (trial % 2)))
        sent = [shell.frame() for _ in range(5)]
        for frame in sent:
            await shell.send(frame)
        # Back pressure has the third frame or a later one stuck at the entrance, some way in.
        await ClockCycles(dut.ap_clk, 150 + shell.rng.randrange(20))
        inside = await shell.read(reg.FRAMES_IN)
        assert 2 <= inside < 5
        await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET)
        # The receiver forgets what it took of a frame that the reset broke off, as a DMA that is reset does.
        shell.sink.clear()
        shell.sink.pause = False
        await with_timeout(shell.source.wait(), 20000, "ns")
        await ClockCycles(dut.ap_clk, 200)
        whole, out, dropped, flags = await shell.counters()
        assert (whole - inside, out) == (whole - inside, whole - inside) and whole + dropped == 5 and dropped <= 1
        assert flags == (reg.FLAGS_FRAME_SHORT if dropped else 0)
        assert await shell.read(reg.CONTROL) == 0
        await shell.expect(sent[5 - (whole - inside) :])
        again = [shell.frame() for _ in range(3)]
        for frame in again:
            await shell.send(frame)
        await shell.expect(again)
        await shell.quiet()


@border_test()
async def hard_reset_in_mid_frame(dut: Any) -> None:
    """After ap_rst_n everything is as new."""
    shell = Shell(dut, "hard reset")
    await shell.start()
    for _ in range(5):
        for _ in range(3):
            await shell.send(shell.frame())
        await shell.send(shell.frame(BYTES - 8))
        await ClockCycles(dut.ap_clk, shell.rng.randint(5, 60))
        dut.ap_rst_n.value = 0
        await ClockCycles(dut.ap_clk, 4)
        shell.source.clear()
        shell.sink.clear()
        dut.ap_rst_n.value = 1
        await ClockCycles(dut.ap_clk, 3)
        assert await shell.counters() == (0, 0, 0, 0)
        frames = [shell.frame() for _ in range(3)]
        for frame in frames:
            await shell.send(frame)
        await shell.expect(frames)
        await shell.quiet()
        assert await shell.counters() == (3, 3, 0, 0)
