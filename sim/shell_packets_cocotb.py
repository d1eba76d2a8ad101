"""Packets of several frames under cocotb, whole and corrupted. test_shell.py runs it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import cocotb
from axi_bench import border_test, pauses
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamFrame
from shell_bench import BYTES, CLASSES, Shell, expected

from bvit_hw.runtime import registers as reg


def judge(packets: Iterable[AxiStreamFrame], frames: int) -> tuple[list[bytes], int, int]:
    """Frames accepted, number of frames dropped, flags: docs/registers.md word for word, packet by packet."""
    accepted: list[bytes] = []
    dropped = flags = 0
    for packet in packets:
        keep = list(packet.tkeep) if packet.tkeep else [1] * len(packet.tdata)
        data, keep = bytes(packet.tdata) + bytes(-len(keep) % 8), keep + [0] * (-len(keep) % 8)
        for number in range(max(frames, 1)):
            final = number == max(frames, 1) - 1
            left = len(data) - number * BYTES
            if left > BYTES and final:
                flags |= reg.FLAGS_FRAME_LONG
                dropped += 1
                break
            part = slice(number * BYTES, (number + 1) * BYTES)
            if left >= BYTES and all(keep[part]):
                accepted.append(data[part])
            else:
                flags |= reg.FLAGS_FRAME_SHORT
                dropped += 1
            if left <= BYTES:
                flags |= 0 if final else reg.FLAGS_PACKET_SHORT
                break
    return accepted, dropped, flags


async def _watch(dut: Any, words: list[int], ends: list[int]) -> None:
    """Every logit that leaves, and after how many of them TLAST came."""
    while True:
        await RisingEdge(dut.ap_clk)
        if dut.m_axis_tvalid.value and dut.m_axis_tready.value:
            words.append(dut.m_axis_tdata.value.to_signed())
            if dut.m_axis_tlast.value:
                ends.append(len(words))


@border_test()
@cocotb.parametrize(frames=[0, 1, 2, 3, 300])
async def packets(dut: Any, frames: int) -> None:
    """Packets of several frames: all served at full rate, one TLAST a packet on the way out, no flag."""
    shell = Shell(dut, f"packets-{frames}")
    await shell.start()
    await shell.write(reg.PACKET_FRAMES, frames)
    assert await shell.read(reg.PACKET_FRAMES) == frames
    words: list[int] = []
    ends: list[int] = []
    watcher = cocotb.start_soon(_watch(dut, words, ends))
    size = max(frames, 1)
    sent = [[shell.frame() for _ in range(size)] for _ in range(3)]
    for packet in sent:
        await shell.send(b"".join(packet))
    for _ in sent:
        await with_timeout(shell.sink.recv(), 20000 + 100 * size, "ns")
    await shell.quiet()
    watcher.cancel()
    assert words == [logit for packet in sent for frame in packet for logit in expected(frame)]
    assert ends == [CLASSES * size * n for n in (1, 2, 3)]
    assert await shell.counters() == (3 * size, 3 * size, 0, 0)
    # Clearing counters leaves the register alone, a soft reset does not; a byte of it can be written by itself.
    await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
    assert await shell.read(reg.PACKET_FRAMES) == frames
    await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET)
    assert await shell.read(reg.PACKET_FRAMES) == 1
    await with_timeout(shell.axi.write(reg.PACKET_FRAMES + 1, b"\x05"), 2000, "ns")
    assert await shell.read(reg.PACKET_FRAMES) == 0x501
    dut.ap_rst_n.value = 0
    await ClockCycles(dut.ap_clk, 3)
    dut.ap_rst_n.value = 1
    await ClockCycles(dut.ap_clk, 2)
    assert await shell.read(reg.PACKET_FRAMES) == 1


@border_test()
@cocotb.parametrize(frames=[1, 2, 4], trial=[0, 1, 2])
async def corrupted_packets(dut: Any, frames: int, trial: int) -> None:
    """TLAST anywhere, bytes missing anywhere: exactly the frames that are whole come out, flags and counters agree."""
    shell = Shell(dut, f"corrupted-{frames}-{trial}")
    await shell.start()
    await shell.write(reg.PACKET_FRAMES, frames)
    if trial:
        shell.source.set_pause_generator(pauses(shell.rng, 0.3 * trial))
        shell.sink.set_pause_generator(pauses(shell.rng, 0.2 * trial))
    words: list[int] = []
    ends: list[int] = []
    watcher = cocotb.start_soon(_watch(dut, words, ends))
    sent: list[AxiStreamFrame] = []
    rng, whole = shell.rng, BYTES * frames
    for _ in range(50):
        near = BYTES * rng.randint(1, frames + 2) + rng.choice([0, 0, 0, -8, 8, -1, 1])
        length = rng.choice([whole, whole, near, rng.randint(1, whole + 2 * BYTES)])
        keep = [1] * length
        if rng.random() < 0.2:
            keep[rng.randrange(length)] = 0
        sent.append(AxiStreamFrame(rng.randbytes(length), tkeep=keep))
    for packet in sent:
        await shell.source.send(AxiStreamFrame(packet))
    await with_timeout(shell.source.wait(), 400000, "ns")
    await ClockCycles(dut.ap_clk, 800)
    accepted, dropped, flags = judge(sent, frames)
    assert dropped >= 5 and len(accepted) >= 20
    assert words == [logit for frame in accepted for logit in expected(frame)]
    assert ends == list(range(CLASSES * frames, len(words) + 1, CLASSES * frames))
    assert await shell.counters() == (len(accepted), len(accepted), dropped, flags)
    # Whatever came before, after a soft reset packets are served whole again.
    await shell.write(reg.CONTROL, reg.CONTROL_SOFT_RESET | reg.CONTROL_CLEAR)
    await ClockCycles(dut.ap_clk, 30)
    await shell.write(reg.PACKET_FRAMES, frames)
    words.clear()
    ends.clear()
    good = [shell.frame() for _ in range(frames)]
    await shell.send(b"".join(good))
    await ClockCycles(dut.ap_clk, 600)
    watcher.cancel()
    assert words == [logit for frame in good for logit in expected(frame)]
    assert ends == [len(words)]
    assert await shell.counters() == (frames, frames, 0, 0)


@border_test()
async def hard_reset_in_mid_packet(dut: Any) -> None:
    """Nor is it remembered how many frames of a packet had come."""
    shell = Shell(dut, "hard reset in a packet")
    await shell.start()
    count = 6
    for _ in range(3):
        await shell.write(reg.CONTROL, reg.CONTROL_CLEAR)
        await shell.write(reg.PACKET_FRAMES, count)
        shell.sink.pause = True
        await shell.send(b"".join(shell.frame() for _ in range(count)))
        # Back pressure has the packet stuck at the entrance.
        await ClockCycles(dut.ap_clk, 150 + shell.rng.randrange(20))
        assert 2 <= await shell.read(reg.FRAMES_IN) < count
        dut.ap_rst_n.value = 0
        await ClockCycles(dut.ap_clk, 4)
        shell.source.clear()
        shell.sink.clear()
        shell.sink.pause = False
        dut.ap_rst_n.value = 1
        await ClockCycles(dut.ap_clk, 3)
        await shell.write(reg.PACKET_FRAMES, count)
        frames = [shell.frame() for _ in range(count)]
        await shell.send(b"".join(frames))
        got = await with_timeout(shell.sink.recv(), 20000, "ns")
        words = [int.from_bytes(got.tdata[i : i + 4], "little", signed=True) for i in range(0, len(got.tdata), 4)]
        assert words == [logit for frame in frames for logit in expected(frame)]
        await shell.quiet()
        assert await shell.counters() == (count, count, 0, 0)
