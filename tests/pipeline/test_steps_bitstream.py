"""The build's last step: with the vendor's tool (emulated) its results are read back, without it the step says so."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

pytest.importorskip("tkinter", reason="no Tcl interpreter: install python3-tk")

from bvit_hw.boards import load_board
from bvit_hw.errors import ToolError
from bvit_hw.flows import vitis, vivado
from bvit_hw.pipeline.artefacts import Artefacts
from bvit_hw.pipeline.engine import StepContext, StepNotRun
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.steps import bitstream
from bvit_hw.report.model import Implementation
from tests.accelerator_package import write_accelerator
from tests.emulators.vitis_emulation import install
from tests.odd_names import ODD


@dataclass(frozen=True)
class _Options:
    board: object


def step(tmp_path: Path, name: str, place: str = "") -> tuple[StepContext, Artefacts]:
    """Context and artefacts of the step behind a package for the board ``name``."""
    board, package = load_board(name), tmp_path / place / "package"
    contents = write_accelerator(package, board)
    if board.vitis is None:
        vivado.write_scripts(package, board, 125.0, contents)
    else:
        vitis.write_kernels(package, board, 250.0, [contents])
    folder = tmp_path / place / "bitstream"
    folder.mkdir(parents=True)
    context = StepContext(folder, lambda done, total: None, {"package": package}, {})
    return context, Artefacts(cast(BuildOptions, _Options(board)))


def with_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{install(tmp_path / 'tools')}:{os.environ['PATH']}")


@pytest.mark.parametrize(
    "board, message",
    [("pynq-z2", "bitstream not built: Vivado not found"), ("u250", r"xclbin not built: v\+\+ not found")],
)
def test_without_the_tool_it_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, message: str
) -> None:
    context, build = step(tmp_path, board)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StepNotRun, match=message):
        bitstream.run(context, build)
    assert list(context.folder.iterdir()) == []


@pytest.mark.parametrize("place", ["", ODD], ids=["plain", "odd"])
def test_vivado_is_run_and_its_reports_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """In a copy where the path is none that Vivado takes: its scripts refuse such a one."""
    context, build = step(tmp_path, "pynq-z2", place)
    with_tools(tmp_path, monkeypatch)
    results = bitstream.run(context, build)
    assert sorted(f.name for f in context.folder.iterdir()) == [
        "bvit_hw.bit", "bvit_hw.hwh", "power.rpt", "timing.rpt", "utilization.rpt", "vivado.log",
    ]  # fmt: skip
    found = Implementation(**results["implementation"])
    assert (found.lut, found.bram18, found.clock_mhz) == (33_506, 210, 125.0)
    assert (found.setup_slack_ns, found.hold_slack_ns, found.power_w) == (0.412, 0.018, 2.764)


@pytest.mark.parametrize("place", ["", ODD], ids=["plain", "odd"])
def test_v_plus_plus_is_run_and_its_reports_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    context, build = step(tmp_path, "u250", place)
    with_tools(tmp_path, monkeypatch)
    results = bitstream.run(context, build)
    assert sorted(f.name for f in context.folder.iterdir()) == ["bvit_hw.xclbin", "vitis.log", "xclbin_info.txt"]
    found = Implementation(**results["implementation"])
    assert (found.lut, found.clock_mhz, found.setup_slack_ns) == (126_011, 250.0, None)


@pytest.mark.parametrize("board, variable", [("pynq-z2", None), ("u250", "EMULATED_CLOCK_MHZ")])
def test_what_fails_leaves_no_result(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, board: str, variable: str | None
) -> None:
    context, build = step(tmp_path, board)
    with_tools(tmp_path, monkeypatch)
    if variable:
        monkeypatch.setenv(variable, "200")  # v++ lowered the clock
    else:
        (context.earlier["package"] / "ip" / "bvit_fifo.sv").unlink()
    with pytest.raises(ToolError, match="exit code 1"):
        bitstream.run(context, build)
    assert not any(f.suffix in (".bit", ".xclbin") for f in context.folder.iterdir())
