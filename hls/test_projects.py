"""Projects for Vitis HLS: what g++ can run of them is run, what only the tool can do is said to be not run."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hls_samples import SAMPLES

from bvit_hw.codegen.hls import HlsUnit, hls_unit, vector_frames
from bvit_hw.errors import ToolError
from bvit_hw.flows.gxx import Toolchain
from bvit_hw.flows.vitis_hls import (
    copy_headers,
    instance_key,
    read_csynth,
    rtl_files,
    run_project,
    vitis_command,
    write_project,
)
from bvit_hw.ops.binary_mvau import BinaryMVAU

PART = "xc7z020clg400-1"
#: words beyond 64 bits are written as strings
WIDE = BinaryMVAU(tokens=2, cols=130, rows=2, simd=130, pe=1)
KINDS = ("ChannelAffine", "MultiPool", "BinaryAttention")
OPS = (WIDE, *(next(op for op in SAMPLES if op.op_type == kind) for kind in KINDS))


def write(folder: Path, op: object = WIDE, seed: int = 1) -> HlsUnit:
    """A project with two random frames."""
    params = op.random_params(np.random.default_rng(seed))  # type: ignore[arg-type]
    unit = hls_unit(op, params)  # type: ignore[arg-type]
    copy_headers(folder.parent)
    write_project(folder, unit, "unit_top", vector_frames(unit.op, params, 2), part=PART, period_ns=10.0)
    return unit


def bench(folder: Path) -> subprocess.CompletedProcess[str]:
    """Compile top function and test bench as csim_design does, and run the bench."""
    toolchain = Toolchain(level=0)
    argv = ["g++", *toolchain.flags, "-I.", "-I..", *toolchain.includes()[:2], "top.cpp", "tb.cpp", "-o", "tb"]
    subprocess.run(argv, cwd=folder, check=True)
    return subprocess.run(["./tb"], cwd=folder, capture_output=True, text=True, check=False)


@pytest.mark.parametrize(
    "op",
    [*OPS[::3], *(pytest.param(op, marks=pytest.mark.slow) for op in OPS[1:3])],
    ids=lambda op: op.op_type,
)
def test_the_bench_of_a_project_passes(tmp_path: Path, op: object) -> None:
    folder = tmp_path / "unit"
    write(folder, op)
    done = bench(folder)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "equal", done.stdout


def test_the_bench_finds_faults(tmp_path: Path) -> None:
    """A wrong beat, a missing one, one too many: none returns 0."""
    folder = tmp_path / "unit"
    write(folder)
    expected = (folder / "tb_data" / "out0.dat").read_text().splitlines()
    assert bench(folder).returncode == 0
    flipped = [f"0x{int(expected[0], 16) ^ 1:x}", *expected[1:]]
    for lines, words in ((flipped, "beat 0: got"), (expected[:-1], "only 7 of 8 beats")):
        (folder / "tb_data" / "out0.dat").write_text("\n".join(lines) + "\n")
        done = subprocess.run(["./tb"], cwd=folder, capture_output=True, text=True, check=False)
        assert done.returncode != 0 and words in done.stdout, done.stdout
    (folder / "tb_data" / "out0.dat").write_text("\n".join(expected) + "\n")
    inputs = (folder / "tb_data" / "in0.dat").read_text().splitlines()
    (folder / "tb_data" / "in0.dat").write_text("\n".join(inputs[:-1]) + "\n")
    assert subprocess.run(["./tb"], cwd=folder, capture_output=True, check=False).returncode == 2


def test_top_and_script(tmp_path: Path) -> None:
    write(tmp_path / "a", OPS[1])
    top = (tmp_path / "a" / "top.cpp").read_text()
    for line in (
        "#pragma HLS interface axis port = in0_V",
        "#pragma HLS interface axis port = out0_V",
        "#pragma HLS interface ap_ctrl_none port = return",
        "#pragma HLS array_reshape variable = bias complete dim = 2",
        "#pragma HLS bind_storage variable = bias type = rom_1p impl = lutram",
    ):
        assert line in top.splitlines()
    assert "dataflow" not in top
    write(tmp_path / "b", OPS[3])
    assert "#pragma HLS dataflow" in (tmp_path / "b" / "top.cpp").read_text()
    write(tmp_path / "c", OPS[0])
    weights = (tmp_path / "c" / "top.cpp").read_text()
    assert "#pragma HLS array_reshape variable = weights complete dim = 2" in weights, "one memory for all rows"
    assert "array_partition variable = weights" not in weights
    script = (tmp_path / "a" / "run_hls.tcl").read_text()
    assert f"set_part {{{PART}}}" in script and "create_clock -period 10.000" in script
    assert script.index("csim_design") < script.index("csynth_design") < script.index("cosim_design")
    assert script.count("{") == script.count("}") and script.count("[") == script.count("]")


def test_key_is_of_configuration_and_tables(tmp_path: Path) -> None:
    first, same = write(tmp_path / "a"), write(tmp_path / "b")
    other = write(tmp_path / "c", seed=2)
    assert instance_key(first) == instance_key(same) != instance_key(other)
    assert json.loads((tmp_path / "a" / "instance.json").read_text())["key"] == instance_key(first)


@pytest.mark.vendor
def test_vitis_hls(tmp_path: Path) -> None:
    """The tool itself: C simulation, synthesis, co-simulation, IP; the interval is the cycles that the text states."""
    if vitis_command() is None:
        pytest.skip("Vitis HLS is not installed: synthesis, co-simulation and export were not run")
    unit = write(tmp_path / "unit")
    report = run_project(tmp_path / "unit")
    assert report.interval[1] <= 1.1 * unit.op.cycles + 20


def test_without_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    write(tmp_path / "unit")
    assert vitis_command() is None and rtl_files(tmp_path / "unit") == []
    with pytest.raises(ToolError, match=r"neither vitis-run nor vitis_hls is on the PATH; .*run_hls\.tcl was not run"):
        run_project(tmp_path / "unit")


#: Written by hand after UG1399's description of the report: no tool made it.
CSYNTH = """<?xml version="1.0"?>
<profile>
  <ReportVersion><Version>2022.2</Version></ReportVersion>
  <UserAssignments>
    <unit>ns</unit><ProductFamily>zynq</ProductFamily><Part>xc7z020-clg400-1</Part>
    <TopModelName>unit_top</TopModelName><TargetClockPeriod>10.00</TargetClockPeriod>
    <ClockUncertainty>2.70</ClockUncertainty>
  </UserAssignments>
  <PerformanceEstimates>
    <PipelineType>no</PipelineType>
    <SummaryOfTimingAnalysis><unit>ns</unit><EstimatedClockPeriod>6.912</EstimatedClockPeriod></SummaryOfTimingAnalysis>
    <SummaryOfOverallLatency>
      <unit>clock cycles</unit><Best-caseLatency>9</Best-caseLatency><Average-caseLatency>9</Average-caseLatency>
      <Worst-caseLatency>{latency}</Worst-caseLatency>
      <Interval-min>10</Interval-min><Interval-max>10</Interval-max>
    </SummaryOfOverallLatency>
  </PerformanceEstimates>
  <AreaEstimates>
    <Resources><BRAM_18K>4</BRAM_18K><FF>812</FF><LUT>1034</LUT><{dsp}>3</{dsp}><URAM>0</URAM></Resources>
    <AvailableResources><BRAM_18K>280</BRAM_18K><DSP>220</DSP><FF>106400</FF><LUT>53200</LUT></AvailableResources>
  </AreaEstimates>
</profile>
"""


@pytest.mark.parametrize(("latency", "number"), [("9", 9), ("undef", -1)])
@pytest.mark.parametrize("dsp", ["DSP", "DSP48E"])
def test_report_is_read(tmp_path: Path, latency: str, number: int, dsp: str) -> None:
    path = tmp_path / "csynth.xml"
    path.write_text(CSYNTH.format(latency=latency, dsp=dsp))
    report = read_csynth(path)
    assert (report.top, report.part) == ("unit_top", "xc7z020-clg400-1")
    assert (report.clock_ns, report.estimated_ns) == (10.0, 6.912)
    assert report.latency == (9, number) and report.interval == (10, 10)
    resources = report.resources
    assert (resources.lut, resources.ff, resources.bram18, resources.dsp, resources.uram) == (1034, 812, 4, 3, 0)


@pytest.mark.parametrize("text", ["", "<profile></profile>", "<other/>"])
def test_what_is_no_report_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "csynth.xml"
    path.write_text(text)
    with pytest.raises(ToolError, match=r"csynth\.xml"):
        read_csynth(path)


def emulated(folder: Path, name: str, body: str) -> None:
    """A program of the tool's name that is not the tool: it lets the way around it be tested."""
    program = folder / name
    program.write_text(f"#!/bin/sh\nset -e\n{body}\n")
    program.chmod(0o755)


def test_the_way_around_the_tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both releases' commands; a run without RTL, or one that fails, is an error."""
    tools = tmp_path / "bin"
    tools.mkdir()
    for name in ("mkdir", "cp", "test", "touch"):
        (tools / name).symlink_to(shutil.which(name) or name)
    monkeypatch.setenv("PATH", str(tools))
    write(tmp_path / "unit")
    (tmp_path / "csynth.xml").write_text(CSYNTH.format(latency="9", dsp="DSP"))
    report = "s=project_unit_top/sol1; mkdir -p $s/syn/report $s/syn/verilog; cp ../csynth.xml $s/syn/report/"
    emulated(tools, "vitis_hls", f'test "$1 $2" = "-f run_hls.tcl"; {report}')
    assert vitis_command() == ["vitis_hls", "-f"]
    with pytest.raises(ToolError, match="left no Verilog"):
        run_project(tmp_path / "unit")
    command = 'test "$*" = "--mode hls --tcl run_hls.tcl"'
    emulated(tools, "vitis-run", f"{command}; {report}; touch $s/syn/verilog/unit_top.v")
    assert run_project(tmp_path / "unit").interval == (10, 10)
    assert [path.name for path in rtl_files(tmp_path / "unit")] == ["unit_top.v"]
    emulated(tools, "vitis-run", "exit 3")
    with pytest.raises(ToolError, match=r"vitis hls: exit code 3"):
        run_project(tmp_path / "unit")
