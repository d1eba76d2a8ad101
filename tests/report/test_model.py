"""What a report says of its figures."""

from __future__ import annotations

from bvit_hw.report.model import Cycles, OperatorRow, Report


def report(cycles: int) -> Report:
    """One whose operators take 320 and 256 cycles, and a frame ``cycles``."""
    rows = [OperatorRow.model_construct(name=f"head.{n}", op="IntMVAU", cycles=n) for n in (256, 320)]
    return Report.model_construct(operators=rows, cycles_per_frame=Cycles.model_construct(model=cycles))


def test_what_limits_the_rate() -> None:
    assert report(320).limited_by == "head.320 (IntMVAU, 320 cycles)"
    # A fast enough network waits for its pixels.
    assert report(384).limited_by == "the accelerator's streams (384 cycles for a frame's pixels and logits)"


def test_latency_is_said_in_time_and_in_cycles() -> None:
    made = report(320).model_copy(
        update={
            "frames_per_second": 1.0,
            "latency_cycles": 5591,
            "clock_mhz": 200.0,
            "cycles_per_frame": Cycles.model_construct(model=320, simulated=None),
        }
    )
    assert made.summary()["latency"] == "28.0 µs (5,591 cycles at 200 MHz)"
    assert made.model_copy(update={"latency_cycles": None}).summary()["latency"] == "not simulated"
