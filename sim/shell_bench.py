"""The bench of the accelerator's border, and what its stand-in for the network makes of frames."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from axi_bench import AxiBench
from cocotb.triggers import ClockCycles, RisingEdge, with_timeout
from cocotbext.axi import AxiStreamFrame

from bvit_hw.runtime import registers as reg

BYTES, CLASSES, OFFSET, BEATS = 96, 5, 1000, 12


def expected(frame: bytes) -> list[int]:
    """What the stand-in of device_stand_in.sv makes of a frame."""
    return [sum(frame[c::8]) - OFFSET for c in range(CLASSES)]


class Shell(AxiBench):
    """Bus models around the device."""

    def frame(self, length: int = BYTES) -> bytes:
        return self.rng.randbytes(length)

    async def send(self, data: bytes) -> None:
        await self.source.send(AxiStreamFrame(data))

    async def drive(self, data: bytes, *, last: bool = True, hole: int | None = None) -> None:
        """Whole beats, one after the other, by hand: the source, which must be idle, cannot leave TLAST away.

        ``hole`` is a byte that TKEEP leaves out.
        """
        dut = self.dut
        for start in range(0, len(data), 8):
            dut.s_axis_tdata.value = int.from_bytes(data[start : start + 8], "little")
            dut.s_axis_tkeep.value = 0xFF if hole is None else 0xFF & ~(1 << hole - start if hole >= start else 0)
            dut.s_axis_tlast.value = int(last and start + 8 >= len(data))
            dut.s_axis_tvalid.value = 1
            await RisingEdge(dut.ap_clk)
            while not dut.s_axis_tready.value:
                await RisingEdge(dut.ap_clk)
        dut.s_axis_tvalid.value = 0

    async def write_lanes(self, offset: int, value: int, strobes: int) -> None:
        """Write a register by hand: the bus model has no value for lanes that the strobes leave out."""
        dut = self.dut
        dut.s_axil_awaddr.value, dut.s_axil_wdata.value, dut.s_axil_wstrb.value = offset, value, strobes
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 1
        await RisingEdge(dut.ap_clk)
        while not (dut.s_axil_awready.value and dut.s_axil_wready.value):
            await RisingEdge(dut.ap_clk)
        dut.s_axil_awvalid.value = dut.s_axil_wvalid.value = 0
        await ClockCycles(dut.ap_clk, 4)
        self.axi.write_if.b_channel.clear()  # the bus model took the answer, and would match it to the next write

    async def expect(self, frames: Iterable[bytes]) -> None:
        """The logits of these frames, in order, each ended by TLAST."""
        for frame in frames:
            await self.expect_packet([frame])

    async def expect_packet(self, frames: Sequence[bytes]) -> None:
        """The logits of these frames in one packet."""
        got = await with_timeout(self.sink.recv(), 20000, "ns")
        words = [int.from_bytes(got.tdata[i : i + 4], "little", signed=True) for i in range(0, len(got.tdata), 4)]
        due = [logit for frame in frames for logit in expected(frame)]
        assert words == due, f"logits {words}, expected {due}"

    async def quiet(self, cycles: int = 400) -> None:
        """Nothing more comes out."""
        await ClockCycles(self.dut.ap_clk, cycles)
        assert self.sink.empty(), f"surplus logits: {self.sink.recv_nowait()}"

    async def counters(self) -> tuple[int, int, int, int]:
        """Frames in, out, dropped; flags."""
        return tuple([await self.read(o) for o in (reg.FRAMES_IN, reg.FRAMES_OUT, reg.FRAMES_DROPPED, reg.FLAGS)])  # type: ignore[return-value]
