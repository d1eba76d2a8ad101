"""Vivado's scripts, run in a real Tcl interpreter against an emulation that records what they build.

Every line of a script that makes or connects something is also left out, misspelled or doubled, one at a time: each
such script must be refused, or must build something in which the emulation finds a fault.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

tkinter = pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")

from bvit_hw.boards import VivadoSettings, board_names, load_board  # noqa: E402
from bvit_hw.errors import ToolError  # noqa: E402
from bvit_hw.flows import vivado  # noqa: E402
from bvit_hw.vendor_releases import RELEASES  # noqa: E402
from tests.accelerator_package import TOP, write_accelerator, write_engine  # noqa: E402
from tests.emulators.vivado_emulation import VivadoEmulation  # noqa: E402
from tests.emulators.vivado_session import EmulatedError  # noqa: E402

ZYNQ = [name for name in board_names() if load_board(name).flow == "vivado"]
#: board files as Vivado's board store names them
BOARD_PARTS = {
    "kv260": "xilinx.com:kv260_som:part0:1.4",
    "pynq-z1": "www.digilentinc.com:pynq-z1:part0:1.0",
    "pynq-z2": "tul.com.tw:pynq-z2:part0:1.0",
    "ultra96-v2": "avnet.com:ultra96v2:part0:1.2",
    "zcu104": "xilinx.com:zcu104:part0:1.1",
}
#: no IP's default
CLOCK_MHZ = 125.0
REPORTS = ("utilization.rpt", "timing.rpt", "power.rpt")
SCRIPTS = ("build_zynq.tcl", "ip/package_ip.tcl")


def vivado_settings(board: str) -> VivadoSettings:
    settings = load_board(board).vivado
    assert settings
    return settings


def dram_gib(board: str) -> int:
    return max(1, sum(region.size_mb for region in vivado_settings(board).memory) // 1024)


@pytest.fixture(scope="module")
def accelerator(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, vivado.IpContents]:
    folder = tmp_path_factory.mktemp("accelerator")
    return folder, write_accelerator(folder, load_board("pynq-z2"))


def packaged(accelerator: tuple[Path, vivado.IpContents], target: Path, board: str, *, sg: bool = False) -> Path:
    folder, contents = accelerator
    shutil.copytree(folder, target, dirs_exist_ok=True)
    vivado.write_scripts(target, load_board(board), CLOCK_MHZ, contents, scatter_gather=sg)
    return target


def engine_package(target: Path, board: str) -> Path:
    """A single engine for the board, whose addresses its top has."""
    vivado.write_scripts(target, load_board(board), CLOCK_MHZ, write_engine(target, load_board(board)))
    return target


def run(package: Path, board: str, release: str = "2022.2", *, installed: bool = True) -> VivadoEmulation:
    """The build script in the emulation, with or without the board's file (and memory maps made by packaging)."""
    parts = (BOARD_PARTS[board],) if installed else ()
    gib = dram_gib(board)
    emulation = VivadoEmulation(release, (*parts, "xilinx.com:vcu118:part0:2.4"), gib, maps_inferred=installed)
    emulation.run(package / "build_zynq.tcl")
    return emulation


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("board", ZYNQ)
@pytest.mark.parametrize("installed", [True, False], ids=["preset", "explicit"])
def test_the_design_is_complete(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path, board: str, release: str, installed: bool
) -> None:
    package = packaged(accelerator, tmp_path, board)
    design = run(package, board, release, installed=installed)
    assert design.faults() == []
    assert (package / "bvit_hw.bit").read_text() == "bit"
    assert (package / "bvit_hw.hwh").is_file()
    assert all((package / name).is_file() for name in REPORTS)
    assert design.parameters["clock"]["CLKOUT1_REQUESTED_OUT_FREQ"] == "125"
    assert not (package / "package_project").exists()


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
@pytest.mark.parametrize("installed", [True, False], ids=["preset", "explicit"])
def test_the_design_of_an_engine_is_complete(tmp_path: Path, board: str, installed: bool) -> None:
    """Registers, a master to all of DRAM and to nothing else, an interrupt; no DMA."""
    package = engine_package(tmp_path, board)
    design = run(package, board, "2024.2", installed=installed)
    assert design.faults() == [] and "dma" not in design.cells
    assert (package / "bvit_hw.bit").is_file() and (package / "bvit_hw.hwh").is_file()
    assert ("/accelerator/m_axi", "/memory/S00_AXI") in design.interface_nets
    assert ("/control/M00_AXI", "/accelerator/s_axil") in design.interface_nets
    assert any({"/accelerator/irq"} < net for net in design.nets)
    dram = [size for space, _, _, size in design.addresses if space == "/accelerator/m_axi"]
    assert sum(dram) == sum(region.size_mb << 20 for region in vivado_settings(board).memory)


def test_streams_registers_and_memory_go_where_they_belong(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path
) -> None:
    design = run(packaged(accelerator, tmp_path, "kv260"), "kv260")
    assert ("/dma/M_AXIS_MM2S", "/accelerator/s_axis") in design.interface_nets
    assert ("/accelerator/m_axis", "/dma/S_AXIS_S2MM") in design.interface_nets
    assert ("/memory/M00_AXI", "/ps/S_AXI_HP0_FPD") in design.interface_nets
    assert design.driver("/accelerator/ap_clk") == "/clock/clk_out1"
    assert design.driver("/accelerator/ap_rst_n") == "/reset/peripheral_aresetn"
    assert design.parameters["dma"]["c_addr_width"] == "36"  # DRAM goes up to 34 GiB
    assert {(space, size) for space, name, _, size in design.addresses if "DDR_HIGH" in name} == {
        ("/dma/Data_MM2S", 2 << 30),
        ("/dma/Data_S2MM", 2 << 30),
    }


@pytest.mark.parametrize("board", ["pynq-z2", "kv260"])
def test_scatter_gather_is_one_switch(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path, board: str
) -> None:
    design = run(packaged(accelerator, tmp_path, board, sg=True), board)
    assert design.faults() == []
    assert ("/dma/M_AXI_SG", "/memory/S02_AXI") in design.interface_nets
    assert vivado.SCATTER_GATHER is False  # what the driver needs


@pytest.mark.parametrize(
    "name, slack, message",
    [
        ("WNS", "-0.01", "timing not met at 125 MHz: setup slack -0.01"),
        ("WHS", "-3.2", "hold slack"),
        ("TPWS", "-0.5", "pulse width slack"),
        ("WNS", "", "timing not known"),
        ("WHS", "NA", "timing not known"),
    ],
)
def test_without_timing_there_is_no_bitstream(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path, name: str, slack: str, message: str
) -> None:
    package = packaged(accelerator, tmp_path, "pynq-z2")
    (package / "bvit_hw.bit").write_text("of yesterday")
    emulation = VivadoEmulation(boards=(BOARD_PARTS["pynq-z2"],))
    emulation.statistics[name] = slack
    with pytest.raises(EmulatedError, match=message):
        emulation.run(package / "build_zynq.tcl")
    assert not (package / "bvit_hw.bit").exists()


def test_another_release_is_warned_of(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path
) -> None:
    package = packaged(accelerator, tmp_path, "pynq-z2")
    for release, warned in (("2022.2", False), ("2024.2.1", False), ("2019.1", True), ("12022.2", True)):
        emulation = VivadoEmulation("2022.2", (BOARD_PARTS["pynq-z2"],))
        emulation.tcl.createcommand("version", lambda *_, release=release: release)
        emulation.run(package / "build_zynq.tcl")
        assert any("WARNING" in line and release in line for line in emulation.said) == warned


@pytest.mark.parametrize("file", ["ip/bvit_fifo.sv", "ip/bvit_core.sv", f"ip/{TOP}.v", "ip/mem"])
def test_a_missing_file_is_refused(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path, file: str
) -> None:
    package = packaged(accelerator, tmp_path, "pynq-z2")
    if file == "ip/mem":
        next((package / file).glob("*.mem")).unlink()
    else:
        (package / file).unlink()
    with pytest.raises(EmulatedError):
        run(package, "pynq-z2")


def test_a_changed_or_added_file_is_refused(accelerator: tuple[Path, vivado.IpContents], tmp_path: Path) -> None:
    """One bit of a memory file would be another network."""
    package = packaged(accelerator, tmp_path, "pynq-z2")
    memory = sorted((package / "ip" / "mem").glob("*.mem"))[0]
    whole = memory.read_bytes()
    memory.write_bytes(bytes([whole[0] ^ 1]) + whole[1:])
    with pytest.raises(EmulatedError, match=rf"not as bvit-hw wrote it.*mem/{memory.name}: FAILED"):
        run(package, "pynq-z2")
    memory.write_bytes(whole)
    (package / "ip" / "mem" / "more.mem").write_bytes(whole)
    with pytest.raises(EmulatedError, match=r"more\.mem is not in SHA256SUMS"):
        run(package, "pynq-z2")
    (package / "ip" / "mem" / "more.mem").unlink()
    assert run(package, "pynq-z2").faults() == []


def test_a_board_without_a_zynq_is_refused(tmp_path: Path) -> None:
    contents = vivado.IpContents(top=TOP, sources=(), model_hash="", streams={"s_axis": 64, "m_axis": 32})
    with pytest.raises(ToolError, match="no block design for family 'alveo' of u50"):
        vivado.write_scripts(tmp_path, load_board("u50"), 100.0, contents)


# Mutations

_MAKES = ("connect_bd", "assign_bd", "exclude_bd", "create_bd", "set_property", "apply_bd", "ipx::", "add_files",
          "source ", "create_project", "update_ip", "make_wrapper", "run_to_end", "validate_bd", "save_bd",
          "file copy", "open_run", "report_", "update_compile", "package_xo")  # fmt: skip
#: settings that are Vivado's default anyway, and words that only people read: leaving them out changes nothing
_NEUTRAL = re.compile(
    r"CONFIG\.(PCW_USE_M_AXI_GP[01]|PCW_FPGA0_PERIPHERAL_FREQMHZ|c_m_axi_s2mm_data_width|PCW_S_AXI_HP0_DATA_WIDTH|PSU__SAXIGP2__DATA_WIDTH|PSU__NUM_FABRIC_RESETS"
    r"|PSU__CRL_APB__PL0_REF_CTRL__\w+|PSU__DDRC__\w+|PSU__PSS_REF_CLK__FREQMHZ|PCW_UIPARAM\w+|PCW_CRYSTAL\w+"
    r"|PSU__USE__M_AXI_GP2|USE_RESET|USE_LOCKED|NUM_CLKS|NUM_PORTS|c_sg_include_stscntrl_strm|c_include_(mm2s|s2mm)(?!_dre)"
    r"|c_\w+_burst_size|c_s_axis_s2mm_tdata_width)\b"
    r"|display_name|description|PHYS_OPT_DESIGN|^set_property (name|version) (bvit|1.0|reg0)"
)


def logical_lines(text: str) -> list[str]:
    """Lines of a script with continuations joined, so that ``"\\n".join`` gives the script back."""
    lines: list[str] = []
    for line in text.split("\n"):
        if lines and lines[-1].endswith("\\"):
            lines[-1] += "\n" + line
        else:
            lines.append(line)
    return lines


#: what is only in effect with the board's file, and what only without it
_PRESET_ONLY = re.compile(r'apply_board_preset "1"|set_property board_part|PSU__USE__M_AXI_GP1\b')
_EXPLICIT_ONLY = re.compile(
    r'apply_board_preset "0"|PSU__DDRC|PCW_UIPARAM|PCW_CRYSTAL|PSS_REF_CLK|PL0_REF_CTRL__SRCSEL'
    r"|PSU__USE__(M_AXI_GP0|IRQ0)|infer_bus_interface|memory_map_ref|add_memory_map|add_address_block"
)


def mutations(line: str) -> Iterator[tuple[str, str]]:
    """What can go wrong with one command: (what was done, the new text)."""
    command = line.strip()
    if "NUM_CLKS" in line or not any(word in command for word in _MAKES) or command.startswith(("#", "proc", "puts")):
        return
    settings = re.findall(r"^ *CONFIG\.\w+.*$", line, re.M)
    if not (all(map(_NEUTRAL.search, settings)) if settings else _NEUTRAL.search(command)):
        yield "left out", line[: len(line) - len(line.lstrip())] + "set nothing {}"
    for found in re.finditer(r"\[(pin|port|space|segment) ([\w/]+)\]", line):
        yield f"misspelled {found[2]}", line[: found.end() - 1] + "_x" + line[found.end() - 1 :]
        if command.startswith("connect_bd_net") and line.count("[pin") > 2:
            yield f"without {found[2]}", line[: found.start()] + line[found.end() :]
    for found in re.finditer(r"^ *CONFIG\.(\w+).*\n", line, re.M):
        yield f"misspelled {found[1]}", line.replace(found[1] + " ", found[1] + "X ", 1)
        if not _NEUTRAL.search(found[0]):
            yield f"without {found[1]}", line.replace(found[0], "", 1)
    if command.startswith("connect_bd_intf_net"):
        yield "doubled", f"{line}\n{line}"
    if command.startswith("assign_bd_address"):
        yield "doubled", f"{line}\n{line}"
        (size,) = re.findall(r"-range (\d+)", line)
        yield "twice the range", line.replace(f"-range {size}", f"-range {2 * int(size)}")
        (offset,) = re.findall(r"-offset (\w+)", line)
        yield "moved", line.replace(offset, f"{int(offset, 16) + 0x800:#x}")
        yield "far away", line.replace(offset, "0x700000000000")
    for word in re.findall(r"-vlnv (?:\[ip (\w+)\]|(\S+))", line):
        name = word[0] or word[1]
        yield f"misspelled {name}", line.replace(name, name + "x", 1)


def mutants(package: Path) -> Iterator[tuple[str, str, str]]:
    """(script, what was done, new text of the script) for every mutation of every line."""
    for script in SCRIPTS:
        lines = logical_lines((package / script).read_text())
        for index, line in enumerate(lines):
            for what, new in mutations(line):
                text = "\n".join([*lines[:index], new, *lines[index + 1 :]])
                key = line if what == "left out" else what
                yield script, f"{what}: {' '.join(key.split())[:200]}", text


@pytest.mark.parametrize(
    "board, sg, installed",
    [
        ("kv260", False, True),
        pytest.param("kv260", True, False, marks=pytest.mark.slow),
        pytest.param("pynq-z2", False, True, marks=pytest.mark.slow),
        pytest.param("pynq-z2", True, False, marks=pytest.mark.slow),
    ],
    ids=["ultrascale", "ultrascale-sg-explicit", "zynq-7000", "zynq-7000-sg-explicit"],
)
def test_every_line_matters(
    accelerator: tuple[Path, vivado.IpContents], tmp_path: Path, board: str, sg: bool, installed: bool
) -> None:
    judge_every_line(packaged(accelerator, tmp_path, board, sg=sg), board, sg=sg, installed=installed, least=150)


@pytest.mark.parametrize("board", ["pynq-z2", pytest.param("kv260", marks=pytest.mark.slow)])
def test_every_line_of_an_engine_matters(tmp_path: Path, board: str) -> None:
    judge_every_line(engine_package(tmp_path, board), board, sg=False, installed=True, least=90)


def judge_every_line(package: Path, board: str, *, sg: bool, installed: bool, least: int) -> None:
    """Every mutation of a package's scripts is refused, or leaves a fault."""
    survived, tried = [], 0
    narrow = vivado_settings(board).address_bits == 32
    originals = {script: (package / script).read_text() for script in SCRIPTS}
    outputs = ("bvit_hw.bit", "bvit_hw.hwh", *REPORTS)
    for script, what, text in mutants(package):
        if (_EXPLICIT_ONLY if installed else _PRESET_ONLY).search(what):
            continue
        if (sg and what.startswith("without c_include_sg")) or (narrow and what.startswith("without c_addr_width")):
            continue  # the default again
        tried += 1
        (package / script).write_text(text)
        for name in outputs:
            (package / name).unlink(missing_ok=True)
        try:
            design = run(package, board, installed=installed)
            faults = [*design.faults(), *(name for name in outputs if not (package / name).is_file())]
            if design.parameters["clock"]["CLKOUT1_REQUESTED_OUT_FREQ"] != f"{CLOCK_MHZ:g}":
                faults.append("another clock")
        except EmulatedError:
            faults = ["refused"]
        if not faults:
            survived.append(f"{script}: {what}")
        (package / script).write_text(originals[script])
    assert tried > least
    assert survived == []
