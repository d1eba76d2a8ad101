"""Vivado: writes the scripts that package the accelerator and build a bitstream, and runs them where Vivado is.

Nothing here claims a bitstream that was not made: without Vivado the scripts are written and labelled "not run".
What they consist of is said in docs/vivado.md; reports are read back by :mod:`bvit_hw.flows.vivado_reports`.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bvit_hw import __version__
from bvit_hw.boards import Board
from bvit_hw.errors import ToolError
from bvit_hw.flows.plain import PLAIN, TAKEN
from bvit_hw.flows.processing_systems import PS_PORTS
from bvit_hw.flows.tool import run_tool
from bvit_hw.flows.vivado_reports import read_power, read_timing, read_utilization
from bvit_hw.runtime.registers import ADDRESS_SPACE
from bvit_hw.sums import seal
from bvit_hw.targets import families_of
from bvit_hw.templates import templates
from bvit_hw.vendor_releases import RELEASES

#: hyphens are left out of the vendor's name: not everything that reads a VLNV takes them
VENDOR, LIBRARY, IP_VERSION = "bvit_hw", "bvit_hw", "1.0"
#: Whether the AXI DMA reads descriptors from memory. The driver programs one transfer at a time, so it does not; this
#: is the one place to change for a driver that queues them.
SCATTER_GATHER = False
#: the accelerator's cell in the block design
CELL = "accelerator"
#: what builds the bitstream, in the package's folder
COMMAND = "vivado -mode batch -source build_zynq.tcl"
#: what it leaves for the board
RESULTS = ("bvit_hw.bit", "bvit_hw.hwh")

TEMPLATES = templates("bvit_hw.flows")


@dataclass(frozen=True, kw_only=True)
class IpContents:
    """What a packaged kernel, mostly the whole accelerator, consists of.

    ``sources`` are file names in compile order, top last; ``streams`` its ports with the bits of tdata, those that
    begin with m_ are outputs. The kernel with the pixels, s_axis, has the registers. A single engine has no streams: it
    has registers, an interrupt, and a master to DRAM of ``master_bits``. A frame of the accelerator has ``frame_bytes``
    of pixels and ``classes`` logits; only who moves them needs to know.
    """

    top: str
    sources: Sequence[str]
    model_hash: str
    streams: Mapping[str, int]
    master_bits: int = 0
    frame_bytes: int = 0
    classes: int = 0

    @property
    def has_registers(self) -> bool:
        """Whether it has an AXI4-Lite port."""
        return "s_axis" in self.streams or self.is_engine

    @property
    def is_engine(self) -> bool:
        """Whether it is a single engine."""
        return self.master_bits > 0

    @property
    def input_bits(self) -> int:
        """Width of the pixels' stream."""
        return self.streams["s_axis"]

    @property
    def output_bits(self) -> int:
        """Width of the logits' stream."""
        return self.streams["m_axis"]


def kernel_folder(package: Path, kernels: Sequence[IpContents], ip: IpContents) -> Path:
    """Where in the package a kernel's files lie, its sources in ``ip``: the first one's where a single one's are."""
    return package if ip == kernels[0] else package / "dies" / ip.top


def ip_values(board: Board, ip: IpContents, *, kernel: bool) -> dict[str, object]:
    """What every template is given: the accelerator's names and contents; ``kernel``: it becomes one of v++."""
    return {
        "version": __version__,
        "releases": RELEASES,
        "board": board,
        "vendor": VENDOR,
        "library": LIBRARY,
        "ip_version": IP_VERSION,
        "ip_families": board.ip_families,
        "kernel": kernel,
        "top": ip.top,
        "address_space": ADDRESS_SPACE,
        "sources": ip.sources,
        "model_hash": ip.model_hash,
        "streams": ip.streams,
        "engine": ip.is_engine,
        "registers": ip.has_registers,
        "plain": PLAIN,
        "taken": TAKEN,
    }


def render(name: str, target: Path, values: Mapping[str, object]) -> None:
    """Write template ``name`` of flows/templates to ``target``."""
    target.write_text(TEMPLATES.get_template(name).render(values))


def write_scripts(
    folder: Path,
    board: Board,
    clock_mhz: float,
    ip: IpContents,
    *,
    jobs: int = 4,
    scatter_gather: bool = SCATTER_GATHER,
) -> None:
    """Write ``ip/package_ip.tcl`` and ``build_zynq.tcl`` under ``folder``; ToolError for a board without a Zynq."""
    if board.vivado is None:
        raise ToolError(
            f"vivado: no block design for family {board.family!r} of {board.name}; known: "
            f"{', '.join(families_of('vivado'))}"
        )
    ps_ip_name = board.vivado.ps_ip.split(":")[2]
    if ps_ip_name not in PS_PORTS:
        raise ToolError(
            f"vivado: no block design for processing system {ps_ip_name!r} of {board.name}; known: "
            f"{', '.join(PS_PORTS)}"
        )
    ps = PS_PORTS[ps_ip_name]
    values = ip_values(board, ip, kernel=False) | {
        "input_bits": 0 if ip.is_engine else ip.input_bits,
        "output_bits": 0 if ip.is_engine else ip.output_bits,
        "clock_mhz": f"{clock_mhz:g}",
        "ps": ps,
        "ps_settings": {**ps.settings, **(ps.high_memory if board.vivado.address_bits > 32 else {})},
        "ps_ip_name": ps_ip_name,
        "address_bits": board.vivado.address_bits,
        "scatter_gather": scatter_gather,
        "jobs": jobs,
    }
    write_packaging(folder / "ip", values)
    render("build_zynq.tcl.j2", folder / "build_zynq.tcl", values)


def write_packaging(ip: Path, values: Mapping[str, Any]) -> None:
    """Write package_ip.tcl into ``ip``, and the sums of sources and memories that it checks first."""
    seal(ip, [file for file in ip.rglob("*") if file.suffix in (".sv", ".v") or file.parent.name == "mem"])
    render("package_ip.tcl.j2", ip / "package_ip.tcl", values)


def vivado_path() -> str | None:
    """Where Vivado is on the PATH, or None."""
    return shutil.which("vivado")


def build_bitstream(folder: Path) -> dict[str, str]:
    """Run ``build_zynq.tcl`` in ``folder``; returns the names of bitstream and hardware description.

    Raises ToolError when Vivado fails, misses timing, or leaves an empty bitstream.
    """
    run_tool("vivado", COMMAND.split(), cwd=folder, log=folder / "vivado.log")
    names = dict(zip(("bitstream", "hardware"), RESULTS, strict=True))
    for name in names.values():
        file = folder / name
        if not file.is_file() or file.stat().st_size == 0:
            raise ToolError(f"vivado: finished without an error but left no {name}; see {folder / 'vivado.log'}")
    return names


def read_implementation(folder: Path) -> dict[str, float]:
    """What Vivado's reports in ``folder`` say: what the accelerator takes, slacks, the clock, power.

    Keys are those of the report's record of that name. Raises ToolError where a report says nothing, or says that
    timing is not met.
    """
    timing, power = read_timing(folder / "timing.rpt"), read_power(folder / "power.rpt")
    if not timing.met:
        raise ToolError(f"vivado: timing not met by {folder / 'timing.rpt'}")
    resources = read_utilization(folder / "utilization.rpt", CELL)
    clocks = [mhz for name, mhz in timing.clocks_mhz.items() if name.startswith("clk_out1_")]
    if len(clocks) != 1:
        raise ToolError(f"vivado: {folder / 'timing.rpt'} names {sorted(timing.clocks_mhz)}; needed: one clk_out1_*")
    return {
        **asdict(resources),
        "clock_mhz": clocks[0],
        "setup_slack_ns": timing.setup_ns,
        "hold_slack_ns": timing.hold_ns,
        "power_w": power.total_w,
        "dynamic_power_w": power.dynamic_w,
    }
