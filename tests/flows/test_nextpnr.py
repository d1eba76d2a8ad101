"""nextpnr: an operator is placed and routed, its Fmax read back, and a clock that is too fast is an error."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.nextpnr import Device, device_of, pack, place_and_route, read_report, route_alone
from bvit_hw.flows.sta import unit_timing
from bvit_hw.flows.yosys import job_of
from bvit_hw.ops.base import Resources
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.targets.ecp5 import TARGET as ECP5

DEVICE = device_of("LFE5U-85F-6BG381C")
#: of the slowest operator in docs/timing.md
SLOWEST_MHZ = 100


@pytest.mark.parametrize(
    ("part", "options"),
    [
        ("LFE5U-85F-6BG381C", "--85k --package CABGA381 --speed 6"),
        ("LFE5U-12F-8BG256C", "--12k --package CABGA256 --speed 8"),
        ("LFE5UM-45F-7BG554C", "--um-45k --package CABGA554 --speed 7"),
        ("LFE5UM5G-85F-8BG756C", "--um5g-85k --package CABGA756 --speed 8"),
    ],
)
def test_parts_are_what_nextpnr_calls_them(part: str, options: str) -> None:
    assert " ".join(device_of(part).options) == options


@pytest.mark.parametrize("part", ["LFE5U-85F-6BG381", "LFE5U-30F-6BG381C", "LFE5U-85F-9BG381C", "xc7z020clg400-1"])
def test_other_parts_are_refused(part: str) -> None:
    with pytest.raises(ToolError, match=f"part '{part}'; allowed: an ECP5"):
        device_of(part)


def step(kind: str, delay: float, begin: str, end: str) -> dict[str, object]:
    return {"type": kind, "delay": delay, "from": {"cell": begin}, "to": {"cell": end}}


def report(**changes: object) -> dict[str, object]:
    """nextpnr's report of a design with two clocks and a path between them."""
    inside = [
        step("clk-to-q", 0.5, "a", "a"), step("routing", 1.25, "a", "b"), step("logic", 0.25, "b", "b"),
        step("routing", 0.5, "b", "c"), step("setup", 0.125, "c", "c"),
    ]  # fmt: skip
    return {
        "fmax": {"clk": {"achieved": 91.5, "constraint": 80.0}, "slow": {"achieved": 30.25, "constraint": 25.0}},
        "critical_paths": [
            {"from": "posedge clk", "to": "posedge slow", "path": [step("routing", 9.0, "x", "y")]},
            {"from": "posedge clk", "to": "posedge clk", "path": inside},
        ],
        "utilization": {
            "TRELLIS_COMB": {"used": 368, "available": 83640}, "TRELLIS_FF": {"used": 303, "available": 83640},
            "DP16KD": {"used": 2, "available": 208}, "MULT18X18D": {"used": 3, "available": 156},
        },
    } | changes  # fmt: skip


def test_a_report_is_read(tmp_path: Path) -> None:
    path = tmp_path / "routed.json"
    path.write_text(json.dumps(report()))
    found = read_report(path)
    assert found.fmax_mhz == {"clk": 91.5, "slow": 30.25}
    assert found.resources == Resources(lut=368, ff=303, bram18=2, dsp=3)
    (slowest,) = found.slowest.values()
    assert (slowest.begin, slowest.end, slowest.logic_ns, slowest.wire_ns, slowest.cells) == ("a", "c", 0.875, 1.75, 2)
    assert list(found.slowest) == ["clk"], "a path between two clocks bounds neither"


def test_a_report_without_a_clock_is_no_report(tmp_path: Path) -> None:
    path = tmp_path / "routed.json"
    path.write_text(json.dumps(report(fmax={})))
    with pytest.raises(ToolError, match=r"routed\.json names no clock"):
        read_report(path)


def test_an_operator_is_routed_and_packed(tmp_path: Path) -> None:
    """A matrix unit with its weights in block RAM; the second run asks for a clock that no ECP5 has."""
    op = BinaryMVAU(tokens=4, cols=32, rows=16, simd=8, pe=2).on(ECP5)
    job = job_of("mvau", op, op.random_params(np.random.default_rng(0)))
    found = route_alone(job, ECP5, DEVICE, tmp_path, clock_mhz=50)
    (mhz,), (path,) = found.fmax_mhz.values(), found.slowest.values()
    assert mhz == pytest.approx(1e3 / (path.logic_ns + path.wire_ns), rel=0.02)
    assert 50 < mhz < 400, "an ECP5 of speed grade 6 is not faster than its block RAM"
    assert found.resources.bram18 == op.resources().bram18 == 1
    assert found.resources.lut > 40 and found.resources.ff > 40
    pack(tmp_path, "alone.bit")
    bits = (tmp_path / "alone.bit").read_bytes()
    assert b"LFE5U-85F" in bits[:200] and len(bits) > 50_000
    with pytest.raises(ToolError, match=r"nextpnr-ecp5: exit code"):
        place_and_route(tmp_path, DEVICE, clock_mhz=600, constraints=None)


def test_what_a_device_is_called() -> None:
    assert Device(size="25k", package="CABGA256", speed=7).options == ["--25k", "--package", "CABGA256", "--speed", "7"]


@pytest.mark.slow
def test_the_slowest_operator_has_not_become_slower(tmp_path: Path) -> None:
    """That of docs/timing.md, on the same seed of the placer: 10 % less than what is said there is too much.

    What Yosys' netlist is estimated to take is near what nextpnr finds.
    """
    op = BinaryMVAU(tokens=1, cols=1024, rows=256, simd=64, pe=1).on(ECP5)
    job = job_of("b4.z_acc", op, op.random_params(np.random.default_rng(0)))
    found = route_alone(job, ECP5, DEVICE, tmp_path, clock_mhz=50)
    (mhz,) = found.fmax_mhz.values()
    assert mhz >= 0.9 * SLOWEST_MHZ
    modules = json.loads((tmp_path / "netlist.json").read_text())["modules"]
    (top,) = (module for module in modules.values() if "top" in module.get("attributes", {}))
    assert ECP5.delays is not None
    inside = unit_timing(top, ECP5.delays, {}, {}).inside
    assert inside is not None and inside.ns == pytest.approx(1e3 / mhz, rel=0.25)
