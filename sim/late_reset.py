"""A unit that leaves reset later than its neighbours, for what promises to take nothing in reset."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from harness import Dut


def late(dut: Dut, folder: Path) -> Dut:
    """``dut``, of one stream in and one out, whose reset ends late: beats are offered before."""
    values = {name: f'"{value}"' if isinstance(value, str) else value for name, value in dut.parameters.items()}
    parameters = ", ".join(f".{name}({value})" for name, value in values.items())
    (s,), (m,) = dut.inputs, dut.outputs
    (folder / "late.sv").write_text(f"""
module late (
  input wire clk, input wire rst,
  input wire [{s.width - 1}:0] s_axis_tdata, input wire s_axis_tvalid, output wire s_axis_tready,
  output wire [{m.width - 1}:0] m_axis_tdata, output wire m_axis_tvalid, input wire m_axis_tready);
  logic [2:0] late_q;
  always @(posedge clk) late_q <= rst ? '1 : late_q << 1;
  {dut.module} #({parameters}) u_late (.clk, .rst(rst || late_q[2]),
    .s_axis_tdata, .s_axis_tvalid, .s_axis_tready, .m_axis_tdata, .m_axis_tvalid, .m_axis_tready);
endmodule
""")
    return replace(dut, module="late", parameters={}, sources=(*dut.sources, folder / "late.sv"))
