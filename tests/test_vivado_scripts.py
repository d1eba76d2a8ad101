"""Vivado's scripts, run in a real Tcl interpreter against an emulation that records what they build."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

tkinter = pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")

from bvit_hw.boards import load_board  # noqa: E402
from bvit_hw.errors import ToolError  # noqa: E402
from bvit_hw.flows import vivado  # noqa: E402
from tests.vivado_emulation import VivadoEmulation  # noqa: E402

TOP = "bvit_accelerator"


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "ip" / "mem").mkdir(parents=True)
    for name in ("bvit_fifo.sv", f"{TOP}.v"):
        (tmp_path / "ip" / name).write_text("// empty")
    (tmp_path / "ip" / "mem" / "w.mem").write_text("0\n")
    contents = vivado.IpContents(
        top=TOP, sources=("bvit_fifo.sv", f"{TOP}.v"), model_hash="ab" * 32, input_bits=64, output_bits=32
    )
    vivado.write_scripts(tmp_path, load_board("pynq-z2"), 100.0, contents)
    # What implementation would leave, so that the script's copies find something.
    runs = tmp_path / "project/bvit_hw.runs/impl_1"
    runs.mkdir(parents=True)
    (runs / "system_wrapper.bit").write_bytes(b"bit")
    handoff = tmp_path / "project/bvit_hw.gen/sources_1/bd/system/hw_handoff"
    handoff.mkdir(parents=True)
    (handoff / "system.hwh").write_text("<hwh/>")
    return tmp_path


def run(package: Path, slack: str = "0.5") -> VivadoEmulation:
    emulation = VivadoEmulation(TOP)
    emulation.slack = slack
    emulation.run(package / "build_zynq.tcl")
    return emulation


def mutate(package: Path, old: str, new: str) -> None:
    script = package / "build_zynq.tcl"
    text = script.read_text()
    assert old in text
    script.write_text(text.replace(old, new, 1))


def test_the_block_design_is_complete(package: Path) -> None:
    design = run(package)
    assert design.unconnected() == []
    assert design.files == ["bvit_fifo.sv", f"{TOP}.v", "w.mem"]
    assert ("dma/M_AXIS_MM2S", "accelerator/s_axis") in design.interface_nets
    assert ("accelerator/m_axis", "dma/S_AXIS_S2MM") in design.interface_nets
    clocks = {design.connected(f"{c}/{p}") for c, p in [("accelerator", "ap_clk"), ("dma", "m_axi_mm2s_aclk")]}
    assert clocks == {"ps/FCLK_CLK0"}
    assert design.connected("accelerator/ap_rst_n") == "reset/peripheral_aresetn"
    assert design.properties["ps"]["CONFIG.PCW_FPGA0_PERIPHERAL_FREQMHZ"] == "100"
    assert design.properties["dma"]["CONFIG.c_m_axis_mm2s_tdata_width"] == "64"
    assert design.properties["dma"]["CONFIG.c_s_axis_s2mm_tdata_width"] == "32"
    assert (package / "bvit_hw.bit").read_bytes() == b"bit"
    assert (package / "bvit_hw.hwh").is_file()


def test_addresses_of_the_processor_do_not_overlap(package: Path) -> None:
    seen = [(start, start + size) for name, start, size in run(package).addresses if not name.startswith("ps/")]
    assert len(seen) == 2
    (a, b), (c, d) = sorted(seen)
    assert b <= c and all(0x40000000 <= x <= 0x7FFFFFFF for x in (a, b - 1, c, d - 1))  # UG585: M_AXI_GP0


@pytest.mark.parametrize("slack", ["-0.01", "-3.2"])
def test_negative_slack_hands_out_no_bitstream(package: Path, slack: str) -> None:
    with pytest.raises(tkinter.TclError, match="timing not met"):
        run(package, slack)
    assert not (package / "bvit_hw.bit").exists()


@pytest.mark.parametrize(
    "old, new",
    [
        ("[get_bd_pins accelerator/ap_clk]", ""),
        ("[get_bd_pins dma/axi_resetn]", ""),
        ("connect_bd_intf_net [get_bd_intf_pins accelerator/m_axis] [get_bd_intf_pins dma/S_AXIS_S2MM]", ""),
    ],
)
def test_a_dropped_connection_is_found(package: Path, old: str, new: str) -> None:
    mutate(package, old, new)
    assert run(package).unconnected() != []


@pytest.mark.parametrize(
    "old, new",
    [
        ("accelerator/s_axis]", "accelerator/s_axi]"),
        ("dma/M_AXI_S2MM]", "dma/M_AXI_MM2S]"),
        ("ps/S_AXI_HP0]", "ps/M_AXI_GP0]"),
        ("ipx::", "ipx:"),
        ("ps/FCLK_RESET0_N", "ps/FCLK_RESETN"),
    ],
)
def test_a_wrong_name_is_refused(package: Path, old: str, new: str) -> None:
    target = package / "ip/package_ip.tcl" if old == "ipx::" else package / "build_zynq.tcl"
    text = target.read_text()
    assert old in text
    target.write_text(text.replace(old, new, 1))
    with pytest.raises((tkinter.TclError, ValueError)):
        run(package)


def test_a_missing_source_is_refused(package: Path) -> None:
    (package / "ip/bvit_fifo.sv").unlink()
    with pytest.raises((tkinter.TclError, FileNotFoundError)):
        run(package)


def test_a_board_without_a_zynq_is_refused(package: Path) -> None:
    board = load_board("pynq-z2").model_copy(update={"name": "u50", "family": "alveo"})
    contents = vivado.IpContents(top=TOP, sources=(), model_hash="", input_bits=64, output_bits=32)
    with pytest.raises(ToolError, match="no project script for family 'alveo' of u50"):
        vivado.write_scripts(package, board, 100.0, contents)


def test_the_notebook_is_valid_and_has_no_outputs() -> None:
    path = Path(__file__).resolve().parents[1] / "boards/notebooks/first_inference.ipynb"
    cells = json.loads(path.read_text())["cells"]
    sources = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    assert len(sources) >= 5
    for source in sources:
        compile(source, str(path), "exec")
    assert all(c["outputs"] == [] for c in cells if c["cell_type"] == "code")
