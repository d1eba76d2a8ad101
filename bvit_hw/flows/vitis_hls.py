"""Vitis HLS: writes a project for each template instance, runs it where the tool is, reads its synthesis report.

Nothing here claims RTL that was not made: without Vitis HLS the projects are written, and labelled "not run".
"""

from __future__ import annotations

import json
import shutil
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bvit_hw import __version__
from bvit_hw.codegen.hls import HlsUnit, project_texts, table_bytes
from bvit_hw.codegen.hls_cycles import is_dataflow
from bvit_hw.disk import write_aside
from bvit_hw.errors import ToolError
from bvit_hw.flows.cache import digest_of
from bvit_hw.flows.plain import PLAIN, TAKEN
from bvit_hw.flows.tool import run_tool
from bvit_hw.ops.base import Resources
from bvit_hw.resources import data_path
from bvit_hw.templates import templates
from bvit_hw.vendor_releases import RELEASES

#: releases that the scripts are written for
SUPPORTED = RELEASES
SCRIPT = "run_hls.tcl"
INSTANCE = "instance.json"

_TEMPLATES = templates("bvit_hw.flows")


@dataclass(frozen=True, kw_only=True)
class HlsReport:
    """What csynth says of one top: latency and interval in cycles (-1: unknown), clock in ns, resources."""

    top: str
    part: str
    clock_ns: float
    estimated_ns: float
    latency: tuple[int, int]
    interval: tuple[int, int]
    resources: Resources


def instance_key(unit: HlsUnit) -> str:
    """By which an instance is found again: template, configuration and the tables' values."""
    return digest_of(unit.function, sorted(unit.config.items()), table_bytes(unit).hex())


def copy_headers(folder: Path) -> None:
    """hls/bvit/ into ``folder``/bvit, where the projects in folders beside it find it."""
    shutil.copytree(data_path("hls") / "bvit", folder / "bvit", dirs_exist_ok=True)


def write_project(
    folder: Path,
    unit: HlsUnit,
    top: str,
    frames: Sequence[Sequence[np.ndarray]],
    *,
    part: str,
    period_ns: float,
    project: str | None = None,
) -> None:
    """Write top function, constants, test bench with vectors of ``frames``, and the script into ``folder``.

    ``folder``/.. must hold the headers (:func:`copy_headers`). ``top`` is a C++ identifier, ``project`` the folder that
    Vitis HLS makes (default ``project_<top>``).
    """
    (folder / "tb_data").mkdir(parents=True, exist_ok=True)
    dataflow = is_dataflow(unit.function, data_path("hls") / "bvit" / unit.header)
    for name, text in project_texts(unit, top, frames, dataflow=dataflow).items():
        write_aside(folder / name, text)
    project = project or f"project_{top}"
    script = _TEMPLATES.get_template("run_hls.tcl.j2").render(
        top=top, project=project, part=part, period_ns=f"{period_ns:.3f}", version=__version__,
        plain=PLAIN, taken=TAKEN,
    )  # fmt: skip
    write_aside(folder / SCRIPT, script)
    described = {
        "key": instance_key(unit),
        "operator": unit.op.op_type,
        "fields": unit.op.attributes(),
        "top": top,
        "project": project,
        "inputs": [{"prefix": f"{s.name}_V", "width": s.width} for s in unit.inputs],
        "outputs": [{"prefix": f"{s.name}_V", "width": s.width} for s in unit.outputs],
        "cycles": unit.op.cycles,
    }
    write_aside(folder / INSTANCE, json.dumps(described, indent=1) + "\n")


def vitis_command() -> list[str] | None:
    """The command that takes a script, of whichever release is on the PATH; None without one."""
    if shutil.which("vitis-run"):
        return ["vitis-run", "--mode", "hls", "--tcl"]
    if shutil.which("vitis_hls"):
        return ["vitis_hls", "-f"]
    return None


def run_project(folder: Path) -> HlsReport:
    """Run the whole script in ``folder`` and read the synthesis report.

    Raises ToolError without Vitis HLS, when it fails (C simulation and co-simulation compare every beat), and when it
    leaves no report or no RTL.
    """
    command = vitis_command()
    if command is None:
        raise ToolError(
            f"Vitis HLS: neither vitis-run nor vitis_hls is on the PATH; {folder / SCRIPT} was not run. "
            f"Releases that it is written for: {', '.join(SUPPORTED)}"
        )
    run_tool("vitis hls", [*command, SCRIPT], cwd=folder, log=folder / "vitis_hls.log")
    solution = solution_of(folder)
    if not rtl_files(folder):
        raise ToolError(f"vitis hls: finished without an error but left no Verilog; see {folder / 'vitis_hls.log'}")
    return read_csynth(solution / "syn" / "report" / "csynth.xml")


def solution_of(folder: Path) -> Path:
    """The solution's folder of a project written by :func:`write_project`."""
    described = json.loads((folder / INSTANCE).read_text())
    return folder / str(described["project"]) / "sol1"


def rtl_files(folder: Path) -> list[Path]:
    """Verilog that Vitis HLS made from the project in ``folder``; none where it has not run."""
    return sorted((solution_of(folder) / "syn" / "verilog").glob("*.v"))


def _number(root: ElementTree.Element, path: str) -> int:
    text = (root.findtext(path) or "").strip()
    return int(text) if text.lstrip("-").isdigit() else -1


def read_csynth(path: Path) -> HlsReport:
    """The figures of a csynth.xml (UG1399: the report of C synthesis); ToolError when it is not one."""
    try:
        root = ElementTree.parse(path).getroot()
    except (OSError, ElementTree.ParseError) as error:
        raise ToolError(f"vitis hls: {path}: no synthesis report: {error}") from error
    top = root.findtext("UserAssignments/TopModelName")
    resources = root.find("AreaEstimates/Resources")
    if root.tag != "profile" or top is None or resources is None:
        raise ToolError(f"vitis hls: {path}: a report without TopModelName or AreaEstimates/Resources")
    overall = "PerformanceEstimates/SummaryOfOverallLatency"
    area = {child.tag: float(child.text or 0) for child in resources}
    return HlsReport(
        top=top,
        part=root.findtext("UserAssignments/Part") or "",
        clock_ns=float(root.findtext("UserAssignments/TargetClockPeriod") or "nan"),
        estimated_ns=float(
            root.findtext("PerformanceEstimates/SummaryOfTimingAnalysis/EstimatedClockPeriod") or "nan"
        ),
        latency=(_number(root, f"{overall}/Best-caseLatency"), _number(root, f"{overall}/Worst-caseLatency")),
        interval=(_number(root, f"{overall}/Interval-min"), _number(root, f"{overall}/Interval-max")),
        resources=Resources(
            lut=area.get("LUT", 0),
            ff=area.get("FF", 0),
            bram18=area.get("BRAM_18K", 0),
            uram=area.get("URAM", 0),
            # Releases before 2020 say DSP48E.
            dsp=area.get("DSP", area.get("DSP48E", 0)),
        ),
    )
