"""A board with an ECP5: its top around the accelerator, and the whole way to a bitstream by Yosys and nextpnr."""

from __future__ import annotations

import gzip
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bvit_hw import __version__
from bvit_hw.boards import Board, NextpnrSettings
from bvit_hw.codegen.accelerator import OUTPUT_BITS
from bvit_hw.errors import ConfigError, ToolError
from bvit_hw.flows.nextpnr import device_of, pack, place_and_route, read_report
from bvit_hw.flows.vivado import IpContents, render
from bvit_hw.flows.yosys import run_script
from bvit_hw.rtl_library import source_paths
from bvit_hw.runtime.registers import ADDRESS_SPACE
from bvit_hw.targets import place_of

TOP = "bvit_board"
#: the top, the pads and the link to the host, in the package's folder; the accelerator itself is in ip/
FOLDER = "board"
CELLS = "ecp5_cells.v"
BITSTREAM = "bvit_hw.bit"
#: what was placed, as Yosys wrote it
NETLIST = "netlist.json.gz"
#: the file that says what openFPGALoader calls the board
PROGRAMMER = "programmer"
#: files of rtl/ that the top needs beside the accelerator's
LINK_SOURCES = (
    "bvit_registers_pkg.sv", "bvit_fifo.sv", "bvit_ram.sv", "bvit_uart_rx.sv", "bvit_uart_tx.sv", "bvit_crc32.sv",
    "bvit_serial_receive.sv", "bvit_serial_send.sv", "bvit_serial_link.sv",
)  # fmt: skip
#: MHz that the PLL's oscillator can do, and at which it is compared, as Project Trellis' ecppll has them
_VCO, _COMPARED = (400.0, 800.0), (3.125, 400.0)


@dataclass(frozen=True, kw_only=True)
class Pll:
    """Dividers of an EHXPLLL whose output feeds back: oscillator / reference x feedback."""

    reference: int
    feedback: int
    output: int
    vco_mhz: float


def pll_of(oscillator_mhz: float, clock_mhz: float) -> Pll:
    """The dividers that make ``clock_mhz``; ConfigError where there are none that do so to the hertz."""
    found = []
    for reference in range(1, 129):
        if not _COMPARED[0] <= oscillator_mhz / reference <= _COMPARED[1]:
            continue
        feedback = round(clock_mhz * reference / oscillator_mhz)
        if not 1 <= feedback <= 80 or abs(oscillator_mhz * feedback / reference - clock_mhz) > 1e-6:
            continue
        for output in range(1, 129):
            if _VCO[0] <= (vco := clock_mhz * output) <= _VCO[1]:
                found.append(Pll(reference=reference, feedback=feedback, output=output, vco_mhz=vco))
    if not found:
        raise ConfigError(
            f"clock of {clock_mhz:g} MHz: the PLL does not make it of {oscillator_mhz:g} MHz; allowed: such as "
            f"{', '.join(f'{oscillator_mhz * n / 2:g}' for n in (2, 3, 4, 5, 6))} MHz"
        )
    return min(found, key=lambda pll: (pll.reference, abs(pll.vco_mhz - 600)))


def bit_sixteenths(board: Board, clock_mhz: float) -> int:
    """How many sixteenths of a cycle a bit of the serial line lasts; ConfigError where the clock is too slow for it."""
    sixteenths = round(16e6 * clock_mhz / _settings(board).baud)
    if sixteenths < 64:
        raise ConfigError(
            f"clock of {clock_mhz:g} MHz: too slow for {board.name}'s serial port of {_settings(board).baud} baud; "
            f"allowed: {4 * _settings(board).baud / 1e6:g} MHz or more"
        )
    return sixteenths


def _settings(board: Board) -> NextpnrSettings:
    if board.nextpnr is None:
        raise ToolError(f"nextpnr: {board.name} has no table [nextpnr]")
    return board.nextpnr


def write_top(folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents]) -> None:
    """Write ``folder``/board: the top, the pads' constraints, the link's sources. ToolError for several kernels."""
    if len(kernels) != 1:
        raise ToolError(f"nextpnr: {len(kernels)} kernels; {board.name} is one die")
    (ip,) = kernels
    settings = _settings(board)
    own = folder / FOLDER
    own.mkdir(parents=True)
    values = {
        "version": __version__,
        "board": board,
        "top": ip.top,
        "clock_mhz": clock_mhz,
        "pll": pll_of(settings.oscillator_mhz, clock_mhz),
        "bit_sixteenths": bit_sixteenths(board, clock_mhz),
        "input_bits": ip.input_bits,
        "output_bits": OUTPUT_BITS,
        "address_bits": ADDRESS_SPACE.bit_length() - 1,
        "frame_bytes": ip.frame_bytes,
        "classes": ip.classes,
    }
    render("ecp5_top.v.j2", own / f"{TOP}.v", values)
    render("ecp5_cells.v.j2", own / CELLS, values)
    render("ecp5_board.lpf.j2", own / "board.lpf", values)
    for source in source_paths(name for name in LINK_SOURCES if name not in ip.sources):
        shutil.copyfile(source, own / source.name)
    order = [*ip.sources, *(name for name in LINK_SOURCES if name not in ip.sources), f"{TOP}.v"]
    (own / "files.f").write_text("".join(f"{name}\n" for name in order))
    (own / "clock_mhz").write_text(f"{clock_mhz:g}\n")
    (own / "part").write_text(f"{board.part} {board.family}\n")
    (own / PROGRAMMER).write_text(f"{settings.programmer}\n")


def build_bitstream(folder: Path) -> dict[str, str]:
    """Synthesize, place, route and pack the package in ``folder``; the bitstream's name.

    Raises ToolError where a tool fails, and where the clock is not met.
    """
    own, work = folder / FOLDER, folder / "work"
    work.mkdir()
    names = [CELLS, *(own / "files.f").read_text().split()]
    places = {file.name: file for file in (*(folder / "ip").iterdir(), *own.iterdir())}
    for memory in (folder / "ip" / "mem").iterdir():
        shutil.copyfile(memory, work / memory.name)
    part, family = (own / "part").read_text().split()
    target = place_of(family)[0]
    run_script(work, target.netlist_script(names, top=TOP, cells=("EHXPLLL",)), [places[name] for name in names])
    place_and_route(
        work, device_of(part), clock_mhz=float((own / "clock_mhz").read_text()),
        constraints=(own / "board.lpf").read_text(),
    )  # fmt: skip
    pack(work, BITSTREAM)
    with (work / "netlist.json").open("rb") as whole, gzip.open(folder / NETLIST, "wb", compresslevel=5) as kept:
        shutil.copyfileobj(whole, kept)
    for name, final in ((BITSTREAM, BITSTREAM), ("routed.json", "timing.json"), ("nextpnr_ecp5.log", "nextpnr.log")):
        shutil.move(work / name, folder / final)
    shutil.move(work / "yosys.log", folder / "yosys.log")
    shutil.rmtree(work)
    return {"bitstream": BITSTREAM}


def read_implementation(folder: Path) -> dict[str, float]:
    """What nextpnr's report says: what the whole top takes, its clock, and the slack of the slowest path."""
    found = read_report(folder / "timing.json")
    clock_mhz = float((folder / FOLDER / "clock_mhz").read_text())
    return {
        **asdict(found.resources),
        "clock_mhz": clock_mhz,
        "setup_slack_ns": round(1e3 / clock_mhz - 1e3 / min(found.fmax_mhz.values()), 3),
    }
