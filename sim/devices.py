"""Devices for the benches: our own RTL, or what Vitis HLS made of the operator's template."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from harness import Dut, DutStream, dut_of

from bvit_hw.codegen.hls import HlsUnit, hls_unit, vector_frames
from bvit_hw.flows.vitis_hls import INSTANCE, copy_headers, instance_key, rtl_files, write_project
from bvit_hw.ops.base import HwOp, Params, Stream

#: for projects that are written for the benches alone
PART, PERIOD_NS = "xc7z020clg400-1", 10.0
Device = Callable[[HwOp, Params], Dut]


def rtl_device(op: HwOp, params: Params) -> Dut:
    """The operator's module of rtl/."""
    return dut_of(op, params)


def project_folder(folder: Path, unit: HlsUnit) -> Path:
    """Where the project of an instance lies: by what it computes."""
    return folder / f"{unit.function}_{instance_key(unit)}"


def _ports(prefixes: list[dict[str, object]], streams: tuple[Stream, ...]) -> tuple[DutStream, ...]:
    # Vitis HLS makes AXI-Stream ports whole bytes wide.
    return tuple(
        DutStream(prefix=str(port["prefix"]), width=s.width, port_width=-(-s.width // 8) * 8)
        for port, s in zip(prefixes, streams, strict=True)
    )


def vitis_device(folder: Path, *, write: bool = False) -> Device:
    """Devices from the projects in ``folder``; with ``write`` the project is written, and the test skipped."""

    def device(op: HwOp, params: Params) -> Dut:
        unit = hls_unit(op, params)
        project = project_folder(folder, unit)
        if write:
            copy_headers(folder)
            top = f"bench_{unit.function}"
            write_project(project, unit, top, vector_frames(op, params, 2), part=PART, period_ns=PERIOD_NS)
            pytest.skip(f"project written, nothing simulated: {project}")
        if not (project / INSTANCE).is_file() or not rtl_files(project):
            pytest.skip(f"Vitis HLS has made no RTL of {op}: nothing in {project}")
        described = json.loads((project / INSTANCE).read_text())
        sources = rtl_files(project)
        return Dut(
            module=described["top"],
            sources=tuple(sources),
            inputs=_ports(described["inputs"], op.inputs),
            outputs=_ports(described["outputs"], op.outputs),
            clock="ap_clk",
            reset="ap_rst_n",
            reset_active_low=True,
            upper=True,
            # Contents of memories lie beside the Verilog.
            files=tuple(sorted(sources[0].parent.glob("*.dat"))),
        )

    return device
