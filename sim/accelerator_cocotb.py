"""The whole accelerator under cocotb: real images as a DMA would send them. test_accelerator.py runs it.

``frames.npz`` in the run folder holds images, the frozen model's logits, the model's hash as eight words, and the cycle
model's cycles a frame.
"""

from __future__ import annotations

from typing import Any

import cocotb
import numpy as np
from axi_bench import PERIOD, AxiBench, pauses
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamFrame

from bvit_hw.runtime import registers as reg

with np.load("frames.npz", allow_pickle=False) as _data:
    IMAGES, LOGITS, HASH, CYCLES = _data["images"], _data["logits"], _data["hash"], int(_data["cycles"])


class Bench(AxiBench):
    """Bus models around the accelerator."""

    async def send(self, index: int, length: int | None = None) -> None:
        """Image ``index``, cut or filled up to ``length`` bytes."""
        data = IMAGES[index].tobytes()
        size = len(data) if length is None else length
        await self.source.send(AxiStreamFrame((data * 2)[:size]))

    async def expect(self, indices: list[int]) -> None:
        """The logits of these images, in order, bit for bit."""
        for index in indices:
            got = await with_timeout(self.sink.recv(), 40 * CYCLES * PERIOD, "ns")
            words = np.frombuffer(bytes(got.tdata), "<i4")
            assert np.array_equal(words, LOGITS[index]), f"image {index}: {words.tolist()}, {LOGITS[index].tolist()}"

    async def flags_and_counters(self) -> tuple[int, ...]:
        """Flags, frames in, out and dropped."""
        return tuple([await self.read(o) for o in (reg.FLAGS, reg.FRAMES_IN, reg.FRAMES_OUT, reg.FRAMES_DROPPED)])


@cocotb.test()
async def back_to_back(dut: Any) -> None:
    """All images without a pause: every logit right, cycles a frame as the model says, identity and counters."""
    bench = Bench(dut, "back_to_back")
    await bench.start()
    assert await bench.read(reg.MAGIC) == reg.MAGIC_VALUE
    words = [await bench.read(reg.MODEL_HASH + 4 * i) for i in range(reg.MODEL_HASH_WORDS)]
    assert words == HASH.tolist()
    for index in range(len(IMAGES)):
        await bench.send(index)
    await bench.expect(list(range(len(IMAGES))))
    await ClockCycles(dut.ap_clk, 40)
    assert await bench.flags_and_counters() == (0, len(IMAGES), len(IMAGES), 0)
    interval = await bench.read(reg.FRAME_INTERVAL)
    assert abs(interval - CYCLES) <= 0.02 * CYCLES, f"{interval} cycles between frames, the model says {CYCLES}"
    await ClockCycles(dut.ap_clk, CYCLES)
    assert bench.sink.empty()


@cocotb.test()
async def starved_and_stalled(dut: Any) -> None:
    """Source and sink hesitate at random."""
    bench = Bench(dut, "stalls")
    await bench.start()
    bench.source.set_pause_generator(pauses(bench.rng, 0.6))
    bench.sink.set_pause_generator(pauses(bench.rng, 0.9))
    order = [bench.rng.randrange(len(IMAGES)) for _ in range(12)]
    for index in order:
        await bench.send(index)
    await bench.expect(order)
    assert (await bench.flags_and_counters())[0] == 0


@cocotb.test()
async def malformed_frames_are_dropped_whole(dut: Any) -> None:
    """A short and a long frame among good ones set their flags; the good ones come out right."""
    bench = Bench(dut, "malformed")
    await bench.start()
    size = IMAGES[0].nbytes
    for index, length in [(0, None), (1, size - 8), (2, None), (3, size + 8), (4, size // 2), (5, None)]:
        await bench.send(index, length)
    await bench.expect([0, 2, 5])
    await ClockCycles(dut.ap_clk, 2 * CYCLES)
    assert bench.sink.empty()
    flags, entered, left, dropped = await bench.flags_and_counters()
    assert flags == reg.FLAGS_FRAME_SHORT | reg.FLAGS_FRAME_LONG
    assert (entered, left, dropped) == (3, 3, 3)


@cocotb.test()
async def batches(dut: Any) -> None:
    """Packets of several images, as one DMA transfer brings them: the logits of each packet come as one packet."""
    bench = Bench(dut, "batches")
    await bench.start()
    await bench.write(reg.PACKET_FRAMES, 3)
    packets = [[bench.rng.randrange(len(IMAGES)) for _ in range(3)] for _ in range(3)]
    for packet in packets:
        await bench.source.send(AxiStreamFrame(b"".join(IMAGES[index].tobytes() for index in packet)))
    for packet in packets:
        got = await with_timeout(bench.sink.recv(), 60 * CYCLES * PERIOD, "ns")
        assert np.array_equal(np.frombuffer(bytes(got.tdata), "<i4"), LOGITS[packet].reshape(-1))
    assert await bench.flags_and_counters() == (0, 9, 9, 0)


@cocotb.test()
async def reset_in_mid_frame(dut: Any) -> None:
    """A hardware reset while several frames are inside; what comes after it is right."""
    bench = Bench(dut, "reset")
    await bench.start()
    for index in range(4):
        await bench.send(index)
    await ClockCycles(dut.ap_clk, 2 * CYCLES + 77)
    bench.source.clear()
    dut.ap_rst_n.value = 0
    await ClockCycles(dut.ap_clk, 6)
    dut.ap_rst_n.value = 1
    await RisingEdge(dut.ap_clk)
    while not bench.sink.empty():
        bench.sink.recv_nowait()
    for index in (5, 6, 7):
        await bench.send(index)
    await bench.expect([5, 6, 7])


@cocotb.test()
async def soft_resets_in_mid_frame(dut: Any) -> None:
    """Soft resets at odd moments, with the sink ready and not: nothing of before comes, and what follows is right."""
    bench = Bench(dut, "soft_resets")
    await bench.start()
    for round_ in range(6):
        bench.sink.pause = bool(round_ % 2)
        for index in range(3):
            await bench.send(index)
        await ClockCycles(dut.ap_clk, bench.rng.randrange(CYCLES, 4 * CYCLES))
        bench.source.clear()
        await bench.write(reg.CONTROL, reg.CONTROL_SOFT_RESET)
        while await bench.read(reg.CONTROL) & reg.CONTROL_SOFT_RESET:
            pass
        await ClockCycles(dut.ap_clk, bench.rng.randrange(0, 40))
        bench.sink.pause = False
        while not bench.sink.empty():
            bench.sink.recv_nowait()
        await bench.send(4 + round_ % 4)
        await bench.expect([4 + round_ % 4])
        await ClockCycles(dut.ap_clk, CYCLES)
        assert bench.sink.empty()
