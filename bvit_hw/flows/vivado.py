"""Vivado: writes the scripts that package the accelerator and build a bitstream, and runs them where Vivado is.

Nothing here claims a bitstream that was not made: without Vivado the scripts are written and labelled "not run".
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2

from bvit_hw import __version__
from bvit_hw.boards import Board
from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.ops.base import Resources

VENDOR, LIBRARY, IP_VERSION = "bvit-hw", "bvit_hw", "1.0"
#: releases that the scripts are written for
SUPPORTED = ("2022.2", "2024.2")

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("bvit_hw.flows"),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    autoescape=False,
)
_IP_FAMILIES: Mapping[str, str] = {"zynq-7000": "zynq", "zynq-ultrascale+": "zynquplus", "alveo": "virtexuplusHBM"}


@dataclass(frozen=True, kw_only=True)
class IpContents:
    """What the packaged accelerator consists of. ``sources`` are file names in compile order, top last."""

    top: str
    sources: Sequence[str]
    model_hash: str
    input_bits: int
    output_bits: int


def write_scripts(folder: Path, board: Board, clock_mhz: float, ip: IpContents, *, jobs: int = 4) -> None:
    """Write ``ip/package_ip.tcl`` and ``build_zynq.tcl`` under ``folder``; ToolError for a board without Zynq-7000."""
    if board.family != "zynq-7000":
        raise ToolError(f"vivado: no project script for family {board.family!r} of {board.name}; known: zynq-7000")
    values = {
        "version": __version__,
        "board": board,
        "clock_mhz": f"{clock_mhz:g}",
        "vendor": VENDOR,
        "library": LIBRARY,
        "ip_version": IP_VERSION,
        "ip_family": _IP_FAMILIES[board.family],
        "jobs": jobs,
        "top": ip.top,
        "sources": ip.sources,
        "model_hash": ip.model_hash,
        "input_bits": ip.input_bits,
        "output_bits": ip.output_bits,
    }
    (folder / "ip" / "package_ip.tcl").write_text(_TEMPLATES.get_template("package_ip.tcl.j2").render(values))
    (folder / "build_zynq.tcl").write_text(_TEMPLATES.get_template("build_zynq.tcl.j2").render(values))


def vivado_path() -> str | None:
    """Where Vivado is on the PATH, or None."""
    return shutil.which("vivado")


def build_bitstream(folder: Path) -> dict[str, str]:
    """Run ``build_zynq.tcl`` in ``folder``; returns the names of bitstream and hardware description.

    Raises ToolError when Vivado fails, misses timing, or leaves an empty bitstream.
    """
    run_tool("vivado", ["vivado", "-mode", "batch", "-source", "build_zynq.tcl"], cwd=folder, log=folder / "vivado.log")
    names = {"bitstream": "bvit_hw.bit", "hardware": "bvit_hw.hwh"}
    for name in names.values():
        file = folder / name
        if not file.is_file() or file.stat().st_size == 0:
            raise ToolError(f"vivado: finished without an error but left no {name}; see {folder / 'vivado.log'}")
    return names


def read_utilization(report: Path) -> Resources:
    """Totals of Vivado's hierarchical utilization report (first row of its table)."""
    rows = [line for line in report.read_text().splitlines() if line.startswith("|")]
    if len(rows) < 2:
        raise ToolError(f"vivado: {report} holds no utilization table")
    heading = [c.strip() for c in rows[0].strip("|").split("|")]
    total = dict(zip(heading, (c.strip() for c in rows[1].strip("|").split("|")), strict=True))

    def number(*names: str) -> float:
        return float(sum(int(re.sub(r"\D", "", total[name]) or 0) for name in names if name in total))

    return Resources(
        lut=number("Total LUTs"),
        ff=number("FFs"),
        bram18=2 * number("RAMB36") + number("RAMB18"),
        uram=number("URAM"),
        dsp=number("DSP Blocks", "DSP48 Blocks"),
    )
