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
