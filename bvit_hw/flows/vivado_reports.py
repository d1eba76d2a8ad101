"""Reads Vivado's utilization, timing and power reports back: what became of the accelerator on the FPGA.

The layouts are those of UG906 (report_utilization -hierarchical, report_timing_summary) and UG907 (report_power).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from bvit_hw.errors import ToolError
from bvit_hw.ops.base import Resources

#: column of the hierarchical utilization table -> kind and how many of it one is; names differ between families
_COLUMNS: Mapping[str, tuple[str, int]] = {
    "Total LUTs": ("lut", 1),
    "FFs": ("ff", 1),
    "RAMB36": ("bram18", 2),
    "RAMB18": ("bram18", 1),
    "URAM": ("uram", 1),
    "DSP Blocks": ("dsp", 1),
    "DSP48 Blocks": ("dsp", 1),
}


@dataclass(frozen=True, kw_only=True)
class Timing:
    """Worst slacks in ns, negative where timing is not met, and the frequency of every clock in MHz."""

    setup_ns: float
    hold_ns: float
    pulse_ns: float
    clocks_mhz: Mapping[str, float]

    @property
    def met(self) -> bool:
        """Whether no slack is negative."""
        return min(self.setup_ns, self.hold_ns, self.pulse_ns) >= 0


@dataclass(frozen=True, kw_only=True)
class Power:
    """Vivado's estimate in watts, of the whole chip with its processors."""

    total_w: float
    dynamic_w: float
    static_w: float


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def read_utilization(report: Path, instance: str | None = None) -> Resources:
    """What the design, or one ``instance`` in it, takes, from a hierarchical utilization report.

    Raises ToolError where there is no such table, column or instance.
    """
    rows = [_cells(line) for line in report.read_text().splitlines() if line.lstrip().startswith("|")]
    start = next((i for i, row in enumerate(rows) if row[0] == "Instance"), None)
    if start is None or start + 1 == len(rows):
        raise ToolError(f"vivado: {report} holds no table of instances")
    heading, body = rows[start], rows[start + 1 :]
    known = {_COLUMNS[name][0] for name in heading if name in _COLUMNS}
    if not {"lut", "ff", "bram18", "dsp"} <= known:
        raise ToolError(f"vivado: {report} has columns {heading}; needed: some of {sorted(_COLUMNS)}")
    found = body if instance is None else [row for row in body if row[0] == instance]
    if not found or len(found[0]) != len(heading):
        raise ToolError(f"vivado: {report} holds no row of {instance or 'the whole design'}")
    counts = dict.fromkeys(known, 0)
    for name, cell in zip(heading, found[0], strict=True):
        if name in _COLUMNS:
            kind, each = _COLUMNS[name]
            counts[kind] += each * _count(cell, report)
    return Resources(**counts)


def _count(cell: str, report: Path) -> int:
    match = re.match(r"\d+", cell)  # a share of the chip may follow: 53(0.01%)
    if match is None:
        raise ToolError(f"vivado: {report}: {cell!r} is no count")
    return int(match[0])


def read_timing(report: Path) -> Timing:
    """Slacks and clocks of a timing summary; ToolError where it has none, as for a design without constraints."""
    lines = report.read_text().splitlines()
    slacks: dict[str, float] = {}
    for i, line in enumerate(lines):
        if re.match(r"\s*WNS\(ns\)\s+TNS\(ns\)", line):
            values = re.split(r"\s{2,}", lines[i + 2].strip())
            names = re.split(r"\s{2,}", line.strip())
            # Of unconstrained kinds Vivado writes NA: not known is not met.
            slacks = {n: float(v) for n, v in zip(names, values, strict=True) if re.fullmatch(r"-?[\d.]+", v)}
            break
    missing = [name for name in ("WNS(ns)", "WHS(ns)", "WPWS(ns)") if name not in slacks]
    if missing:
        raise ToolError(f"vivado: {report} does not say {', '.join(missing)}")
    clocks = re.findall(r"^\s*(\S+)\s+\{[\d. ]+\}\s+[\d.]+\s+([\d.]+)", "\n".join(lines), re.M)
    return Timing(
        setup_ns=slacks["WNS(ns)"],
        hold_ns=slacks["WHS(ns)"],
        pulse_ns=slacks["WPWS(ns)"],
        clocks_mhz={name: float(mhz) for name, mhz in clocks},
    )


def read_power(report: Path) -> Power:
    """The summary of a power report; ToolError where it has none."""
    text = report.read_text()
    found = {}
    for name in ("Total On-Chip Power", "Dynamic", "Device Static"):
        match = re.search(rf"^\|\s*{name} \(W\)\s*\|\s*([\d.]+)", text, re.M)
        if match is None:
            raise ToolError(f"vivado: {report} does not say {name} (W)")
        found[name] = float(match[1])
    return Power(
        total_w=found["Total On-Chip Power"], dynamic_w=found["Dynamic"], static_w=found["Device Static"]
    )
