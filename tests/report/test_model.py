"""What a report says of its figures."""

from __future__ import annotations

import pytest

from bvit_hw.report.model import Cycles, OperatorRow, Report, Resource


def report(cycles: int) -> Report:
    """One whose operators take 320 and 256 cycles, and a frame ``cycles``."""
    rows = [OperatorRow.model_construct(name=f"head.{n}", op="IntMVAU", cycles=n) for n in (256, 320)]
    return Report.model_construct(operators=rows, cycles_per_frame=Cycles.model_construct(model=cycles))


def test_what_limits_the_rate() -> None:
    assert report(320).limited_by == "head.320 (IntMVAU, 320 cycles)"
    # A fast enough network waits for its pixels.
    assert report(384).limited_by == "the accelerator's streams (384 cycles for a frame's pixels and logits)"


def test_operations_of_the_whole_accelerator_by_its_luts() -> None:
    """CNV on the ZC706, as FINN's paper has it: 112.5 million operations a frame, 21,906 frames/s, 46,253 LUTs."""
    lut = Resource(model=1.0, synthesized=46_253.0, budget=1.0, available=1.0)
    made = report(320).model_copy(
        update={"binary_macs": 56_250_000, "frames_per_second": 21_906.0, "resources": {"lut": lut}}
    )
    assert made.gops_per_klut == pytest.approx(112.5e6 * 21_906 / 1e9 / 46.253)
    not_counted = lut.model_copy(update={"synthesized": None, "model": 2 * 46_253.0})
    halved = made.model_copy(update={"resources": {"lut": not_counted}})
    assert halved.gops_per_klut == pytest.approx(made.gops_per_klut / 2)


def test_latency_is_said_in_time_and_in_cycles() -> None:
    made = report(320).model_copy(
        update={
            "frames_per_second": 1.0,
            "latency_cycles": 5591,
            "clock_mhz": 200.0,
            "cycles_per_frame": Cycles.model_construct(model=320, simulated=None),
            "resources": {"lut": Resource(model=1.0, synthesized=None, budget=1.0, available=1.0)},
        }
    )
    assert made.summary()["latency"] == "28.0 µs (5,591 cycles at 200 MHz)"
    assert made.model_copy(update={"latency_cycles": None}).summary()["latency"] == "not simulated"
