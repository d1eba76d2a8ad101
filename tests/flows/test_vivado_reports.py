"""Vivado's reports are read back as documented; emulators/vendor_reports/README.md says where the samples are from."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.vivado_reports import read_power, read_timing, read_utilization
from bvit_hw.ops.base import Resources

SAMPLES = Path(__file__).parents[1] / "emulators" / "vendor_reports"


def test_utilization_of_design_and_accelerator() -> None:
    report = SAMPLES / "utilization_zynq.rpt"
    assert read_utilization(report) == Resources(lut=38_211, ff=43_877, bram18=2 * 92 + 31, dsp=168)
    assert read_utilization(report, "accelerator") == Resources(lut=33_506, ff=37_383, bram18=2 * 90 + 30, dsp=168)


def test_utilization_with_shares_and_ultraram() -> None:
    report = SAMPLES / "utilization_ultrascale.rpt"
    assert read_utilization(report, "accelerator") == Resources(
        lut=74_881, ff=82_600, bram18=2 * 99 + 23, uram=2, dsp=724
    )


def changed(sample: str, target: Path, old: str, new: str) -> Path:
    text = (SAMPLES / sample).read_text()
    assert old in text
    path = target / sample
    path.write_text(text.replace(old, new))
    return path


def test_timing() -> None:
    timing = read_timing(SAMPLES / "timing.rpt")
    assert (timing.setup_ns, timing.hold_ns, timing.pulse_ns) == (0.412, 0.018, 2.0)
    assert timing.met
    assert timing.clocks_mhz["clk_out1_system_clock_0"] == 125.0
    assert len(timing.clocks_mhz) == 3


@pytest.mark.parametrize("old, new", [("0.412", "-0.011"), ("0.018", "-0.001"), ("2.000        0", "-0.100       0")])
def test_a_negative_slack_is_not_met(tmp_path: Path, old: str, new: str) -> None:
    assert not read_timing(changed("timing.rpt", tmp_path, old, new)).met


def test_power() -> None:
    power = read_power(SAMPLES / "power.rpt")
    assert (power.total_w, power.dynamic_w, power.static_w) == (2.764, 2.590, 0.174)


def test_what_is_not_there_is_not_guessed(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="no row of accelerato"):
        read_utilization(SAMPLES / "utilization_zynq.rpt", "accelerato")
    with pytest.raises(ToolError, match="no table of instances"):
        read_utilization(SAMPLES / "power.rpt")
    with pytest.raises(ToolError, match="has columns"):
        read_utilization(changed("utilization_zynq.rpt", tmp_path, "Total LUTs", "Total ALMs"))
    with pytest.raises(ToolError, match=r"does not say WHS\(ns\)"):
        read_timing(changed("timing.rpt", tmp_path, "0.018", "   NA"))
    with pytest.raises(ToolError, match=r"does not say WNS\(ns\)"):
        read_timing(SAMPLES / "power.rpt")
    with pytest.raises(ToolError, match=r"does not say Dynamic \(W\)"):
        read_power(changed("power.rpt", tmp_path, "Dynamic (W)", "Kinetic (W)"))
