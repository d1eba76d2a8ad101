"""Vitis: writes what makes the accelerator a kernel of an Alveo card, and runs v++ where it is.

Nothing here claims an .xclbin that was not made: without v++ the files are written and labelled "not run". What they
consist of is said in docs/vivado.md. Names of compute units are those that the driver finds in the .xclbin.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from bvit_hw.boards import Board
from bvit_hw.codegen.die_kernels import stream_links
from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.vivado import IpContents, ip_values, kernel_folder, render, write_packaging
from bvit_hw.ops.base import Resources
from bvit_hw.resources import data_path
from bvit_hw.targets import families_of

#: what the compute units are called
UNITS: Mapping[str, str] = {"accelerator": "accelerator", "mm2s": "mm2s", "s2mm": "s2mm"}
#: and the kernels behind the first one, on a die each
_DIE_UNITS = ("die1", "die2", "die3")
MOVERS = ("bvit_movers.hpp", "bvit_mm2s.cpp", "bvit_s2mm.cpp")
XCLBIN = "bvit_hw.xclbin"
COMMAND = "bash build_alveo.sh"
RESULTS = (XCLBIN,)
#: the clock that drives kernels, as xclbinutil calls it
_CLOCK = "DATA_CLK"


def kernel_clock(board: Board, clock_mhz: float) -> int:
    """The clock as v++ takes it, in whole MHz; ToolError for any other."""
    if clock_mhz != int(clock_mhz):
        raise ToolError(f"vitis: {board.name} at {clock_mhz:g} MHz: v++ takes whole MHz only")
    return int(clock_mhz)


def write_kernels(
    folder: Path, board: Board, clock_mhz: float, kernels: Sequence[IpContents], *, jobs: int = 4
) -> None:
    """Write all that v++ needs beside each kernel's sources: kernel descriptions, movers, link settings, script.

    ``kernels`` are on a die each, in order from where the images arrive. Raises ToolError for a board that is no Alveo
    card, for more kernels than it has dies, and for a clock that v++ cannot take.
    """
    if board.vitis is None:
        known = ", ".join(families_of("vitis"))
        raise ToolError(f"vitis: no kernel for family {board.family!r} of {board.name}; known: {known}")
    if len(kernels) > max(1, len(board.die_limits)):
        raise ToolError(f"vitis: {len(kernels)} kernels; {board.name} has {max(1, len(board.die_limits))} dies")
    clock = kernel_clock(board, clock_mhz)
    units = dict(zip((ip.top for ip in kernels), (UNITS["accelerator"], *_DIE_UNITS), strict=False))
    common = {
        "clock_mhz": clock,
        "clock_hz": clock * 1_000_000,
        "units": UNITS,
        "kernels": [
            {"top": ip.top, "unit": units[ip.top], "slr": slr, "folder": kernel_folder(Path(), kernels, ip)}
            for ip, slr in zip(kernels, board.die_limits or ("",), strict=False)
        ],
        "links": [
            f"{units[link.source]}.{link.source_port}:{units[link.sink]}.{link.sink_port}"
            for link in stream_links(list(units))
        ],
        "input_bits": kernels[0].input_bits,
        "jobs": jobs,
    }
    for ip in kernels:
        values, own = ip_values(board, ip, kernel=True) | common, kernel_folder(folder, kernels, ip)
        write_packaging(own / "ip", values)
        for name in ("package_xo.tcl", "kernel.xml"):
            render(f"{name}.j2", own / name, values)
    values = ip_values(board, kernels[0], kernel=True) | common
    for name in ("link.cfg", "build_alveo.sh"):
        render(f"{name}.j2", folder / name, values)
    (folder / "movers").mkdir()
    for name in MOVERS:
        shutil.copyfile(data_path("hls") / "movers" / name, folder / "movers" / name)


def vpp_path() -> str | None:
    """Where v++ is on the PATH, or None."""
    return shutil.which("v++")


def build_xclbin(folder: Path) -> dict[str, str]:
    """Run ``build_alveo.sh`` in ``folder``; returns the name of the .xclbin.

    Raises ToolError when a tool fails, the clock had to be lowered, or the .xclbin is empty.
    """
    run_tool("v++", ["bash", "build_alveo.sh"], cwd=folder, log=folder / "vitis.log")
    file = folder / XCLBIN
    if not file.is_file() or file.stat().st_size == 0:
        raise ToolError(f"vitis: finished without an error but left no {XCLBIN}; see {folder / 'vitis.log'}")
    return {"bitstream": XCLBIN}


def read_clock(info: Path) -> float:
    """Clock of the kernels in MHz, from what ``xclbinutil --info`` writes; ToolError where it is not said."""
    match = re.search(rf"Name:\s+{_CLOCK}\b.*?Frequency:\s+([\d.]+) MHz", info.read_text(), re.S)
    if match is None:
        raise ToolError(f"vitis: {info} does not say the frequency of {_CLOCK}")
    return float(match[1])


def read_kernel_utilization(report: Path) -> Resources:
    """What all kernels together take, from the linker's kernel utilization report; ToolError where it is not said."""
    rows = [
        [cell.strip() for cell in line.strip().strip("|").split("|")]
        for line in report.read_text().splitlines()
        if line.lstrip().startswith("|")
    ]
    heading = next((row for row in rows if row[0] == "Name"), None)
    used = next((row for row in rows if row[0] == "Used Resources"), None)
    if heading is None or used is None or not {"LUT", "REG", "BRAM", "URAM", "DSP"} <= set(heading):
        raise ToolError(f"vitis: {report} holds no table of used resources")
    counts = {}
    for name, cell in zip(heading, used, strict=True):
        match = re.match(r"[\d.]+", cell)
        counts[name] = float(match[0]) if match else 0.0
    return Resources(
        lut=counts["LUT"], ff=counts["REG"], bram18=2 * counts["BRAM"], uram=counts["URAM"], dsp=counts["DSP"]
    )


def read_implementation(folder: Path) -> dict[str, float]:
    """What the linker's reports in ``folder`` say: what all kernels take, movers included, and their clock.

    Keys are those of the report's record of that name. Raises ToolError where a report is missing or says nothing.
    """
    reports = sorted((folder / "reports").rglob("*kernel_util_routed.rpt"))
    if len(reports) != 1:
        raise ToolError(f"vitis: {len(reports)} kernel utilization reports below {folder / 'reports'}; needed: 1")
    return {**asdict(read_kernel_utilization(reports[0])), "clock_mhz": read_clock(folder / "xclbin_info.txt")}
