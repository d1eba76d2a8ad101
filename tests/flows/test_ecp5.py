"""The board with an ECP5: its clock, its pads, its top; and the whole way to a bitstream of a small design."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bvit_hw.boards import load_board
from bvit_hw.errors import ConfigError, ToolError
from bvit_hw.flows import ecp5
from bvit_hw.flows.ecp5 import bit_sixteenths, pll_of, read_implementation, write_top
from bvit_hw.flows.vendor import flow_of
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.vivado import IpContents
from bvit_hw.report.model import Implementation
from bvit_hw.resources import data_path

BOARD = load_board("ulx3s-85f")
STAND_IN = data_path("sim") / "device_stand_in.sv"
#: the border with a few sums for a network: small, and nothing of it can be cleared away
SMALL = IpContents(
    top="bvit_accelerator",
    sources=(
        "bvit_fifo.sv", "bvit_frame_guard.sv", "bvit_registers_pkg.sv", "bvit_axi_lite_regs.sv", "bvit_logits_out.sv",
        "bvit_axis_check.sv", "device_stand_in.sv",
    ),
    model_hash="ab" * 32,
    streams={"s_axis": 64, "m_axis": 32},
    frame_bytes=96,
    classes=5,
)  # fmt: skip


@pytest.mark.parametrize("mhz", [25, 50, 62.5, 75, 80, 100, 125])
def test_the_plls_dividers_make_the_clock(mhz: float) -> None:
    pll = pll_of(25.0, mhz)
    assert 25.0 / pll.reference * pll.feedback == mhz
    assert pll.vco_mhz == mhz * pll.output and 400 <= pll.vco_mhz <= 800 and 25.0 / pll.reference >= 3.125


@pytest.mark.parametrize("mhz", [33.3, 51.7, 2500])
def test_a_clock_that_the_pll_does_not_make_is_refused(mhz: float) -> None:
    with pytest.raises(ConfigError, match=rf"clock of {mhz:g} MHz: the PLL does not make it of 25 MHz; allowed: such"):
        flow_of(BOARD).check_clock(BOARD, mhz)


def test_a_clock_too_slow_for_the_port_is_refused() -> None:
    assert bit_sixteenths(BOARD, 50.0) == 267
    with pytest.raises(ConfigError, match=r"too slow for ulx3s-85f's serial port of 3000000 baud; allowed: 12 MHz"):
        bit_sixteenths(BOARD, 10.0)


def write(folder: Path) -> None:
    """A package with the stand-in accelerator."""
    from bvit_hw.rtl_library import source_paths

    (folder / "ip" / "mem").mkdir(parents=True)
    for source in (*source_paths(name for name in SMALL.sources if name != STAND_IN.name), STAND_IN):
        (folder / "ip" / source.name).write_bytes(source.read_bytes())
    write_top(folder, BOARD, 50.0, [SMALL])


def test_every_pad_has_its_ball(tmp_path: Path) -> None:
    write(tmp_path)
    text = (tmp_path / "board" / "board.lpf").read_text()
    assert dict(re.findall(r'LOCATE COMP "(\S+)" SITE "(\w+)"', text)) == {
        "clk": "G2", "rx": "M1", "tx": "L4",
        **{f"led[{n}]": ball for n, ball in enumerate(("B2", "C2", "C1", "D2", "D1", "E2", "E1", "H3"))},
    }  # fmt: skip
    assert set(re.findall(r'IOBUF PORT "(\S+)"', text)) == set(re.findall(r'LOCATE COMP "(\S+)"', text))


def test_the_top_is_clean(tmp_path: Path) -> None:
    write(tmp_path)
    places = {file.name: file for file in (*(tmp_path / "ip").glob("*.sv"), *(tmp_path / "board").iterdir())}
    top = places[f"{ecp5.TOP}.v"].read_text()
    assert ".BIT_SIXTEENTHS(267), .W(64), .BYTES(96), .CLASSES(5)" in top
    # The stand-in is a bench's, and is not held to what the library is.
    off = "// verilator lint_off WIDTHEXPAND\n// verilator lint_off DECLFILENAME\n"
    places[STAND_IN.name].write_text(off + STAND_IN.read_text())
    lint([places[name] for name in (tmp_path / "board" / "files.f").read_text().split()], ecp5.TOP)


def test_two_kernels_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ToolError, match="nextpnr: 2 kernels; ulx3s-85f is one die"):
        write_top(tmp_path, BOARD, 50.0, [SMALL, SMALL])


def test_a_bitstream_is_made_and_its_timing_read_back(tmp_path: Path) -> None:
    """Top, PLL, serial link and border, placed and routed at the board's clock; the network is a stand-in."""
    write(tmp_path)
    flow = flow_of(BOARD)
    assert flow.path() is not None
    assert flow.build(tmp_path) == {"bitstream": "bvit_hw.bit"}
    bits = (tmp_path / "bvit_hw.bit").read_bytes()
    assert b"LFE5U-85F" in bits[:200] and len(bits) > 100_000
    found = Implementation(**flow.implementation(tmp_path))
    assert found.clock_mhz == 50.0 and found.setup_slack_ns is not None and 0 < found.setup_slack_ns < 17
    assert 800 < found.lut < 4000 and 800 < found.ff < 4000 and found.bram18 >= 2 and found.dsp == 0
    assert all((tmp_path / name).is_file() for name in flow.kept)
    log = (tmp_path / "nextpnr.log").read_text()
    assert "EHXPLLL" in log and "Derived frequency constraint of 50.0 MHz" in log
    assert read_implementation(tmp_path)["setup_slack_ns"] == found.setup_slack_ns
