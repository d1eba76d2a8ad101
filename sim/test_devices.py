"""Operators that come in both flavours, by the same bench: our own RTL, or with `--dut hls` what Vitis HLS made."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import jinja2
import numpy as np
import pytest
from devices import Device, project_folder, vitis_device
from harness import check_op, dut_of

from bvit_hw.codegen.hls import hls_unit, vector_frames
from bvit_hw.flows.vitis_hls import solution_of, write_project
from bvit_hw.ops.base import HwOp

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "hls"))
from hls_samples import SAMPLES

FRAMES = 3


def label(op: HwOp) -> str:
    """Operator and folding."""
    return "-".join([op.op_type, *(f"{name}{getattr(op, name)}" for name in op.folding_fields)])


@pytest.mark.slow
@pytest.mark.parametrize("op", SAMPLES, ids=label)
def test_device(op: HwOp, device: Device, request: pytest.FixtureRequest) -> None:
    """All traffic patterns; cycles are held to the model for our own RTL, for HLS see docs/hls.md."""
    params = op.random_params(np.random.default_rng(1))
    own = request.config.getoption("--dut") == "rtl"
    check_op(
        op, params, vector_frames(op, params, FRAMES), dut=device(op, params), check_cycles=own and op.cycles > 100
    )


WRAPPER = """
// Our own RTL with the port names of Vitis HLS.
module {{ top }} (
  input wire ap_clk, input wire ap_rst_n
{%- for port in ports %},
  {{ port.way }} wire [{{ port.padded - 1 }}:0] {{ port.outer }}_TDATA,
  {{ port.way }} wire {{ port.outer }}_TVALID,
  {{ port.back }} wire {{ port.outer }}_TREADY
{%- endfor %}

);
  {{ module }} #(
{% for name, value in parameters.items() %}
    .{{ name }}({{ '"' ~ value ~ '"' if value is string else value }}){{ "" if loop.last else "," }}
{% endfor %}
  ) u_twin (
    .clk(ap_clk), .rst(!ap_rst_n)
{%- for port in ports %},
    .{{ port.inner }}_tdata({{ port.outer }}_TDATA[{{ port.width - 1 }}:0]),
    .{{ port.inner }}_tvalid({{ port.outer }}_TVALID), .{{ port.inner }}_tready({{ port.outer }}_TREADY)
{%- endfor %}

  );
endmodule
"""


def stand_in(folder: Path, op: HwOp, seed: int) -> None:
    """A project in ``folder`` whose "HLS output" is our RTL behind ports named as Vitis HLS names them."""
    params = op.random_params(np.random.default_rng(seed))
    unit = hls_unit(op, params)
    project = project_folder(folder, unit)
    write_project(project, unit, "stand_in", vector_frames(op, params, 1), part="none", period_ns=10.0)
    verilog = solution_of(project) / "syn" / "verilog"
    verilog.mkdir(parents=True)
    dut = dut_of(op, params)
    for source in dut.sources:
        shutil.copyfile(source, verilog / f"{source.stem}.v")
    for name, memory in dut.memories.items():
        memory.write(verilog / f"{name}.dat")
    outer = [stream.name + "_V" for stream in (*unit.inputs, *unit.outputs)]
    ports = [
        {
            "outer": name, "inner": port.prefix, "width": port.width, "padded": -(-port.width // 8) * 8,
            "way": "input" if name.startswith("in") else "output",
            "back": "output" if name.startswith("in") else "input",
        }
        for name, port in zip(outer, (*dut.inputs, *dut.outputs), strict=True)
    ]  # fmt: skip
    files = {name: value + ".dat" if value in dut.memories else value for name, value in dut.parameters.items()}
    text = jinja2.Environment(undefined=jinja2.StrictUndefined, trim_blocks=True).from_string(WRAPPER)
    (verilog / "stand_in.v").write_text(
        text.render(top="stand_in", module=dut.module, parameters=files, ports=ports)
    )


def test_hls_output_is_found_and_played(tmp_path: Path) -> None:
    """The way from a folder of projects to the bench, with a stand-in: other weights are another device."""
    op = SAMPLES[0]
    stand_in(tmp_path, op, seed=1)
    params = op.random_params(np.random.default_rng(1))
    dut = vitis_device(tmp_path)(op, params)
    assert dut.upper and dut.reset_active_low and dut.inputs[0].port_width == 8
    check_op(op, params, vector_frames(op, params, FRAMES), dut=dut, patterns=("full", "both"), check_cycles=False)
    with pytest.raises(pytest.skip.Exception, match="Vitis HLS has made no RTL"):
        vitis_device(tmp_path)(op, op.random_params(np.random.default_rng(2)))


def test_projects_are_written_for_the_tool(tmp_path: Path) -> None:
    op = SAMPLES[0]
    params = op.random_params(np.random.default_rng(1))
    with pytest.raises(pytest.skip.Exception, match="project written"):
        vitis_device(tmp_path, write=True)(op, params)
    assert (project_folder(tmp_path, hls_unit(op, params)) / "run_hls.tcl").is_file()
    assert (tmp_path / "bvit" / "common.hpp").is_file()
