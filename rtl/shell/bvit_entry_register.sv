// A stream as it enters a die: two registers, so that only wires lie between this die and the last.
//
// Full rate, latency 1; ready and data come from registers, valid through one table. With `drain` it
// takes whatever comes, offers nothing, and throws it away: its receiver is in reset, and what was
// sent before must not come later.
`default_nettype none

module bvit_entry_register #(
  parameter int W = 8  // width of tdata in bits
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic         drain,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire logic         m_axis_tready
);
  logic valid;
  assign m_axis_tvalid = valid && !drain;
  bvit_fifo #(.W(W), .DEPTH(2)) u_registers (
    .clk(clk), .rst(rst),
    .s_axis_tdata(s_axis_tdata), .s_axis_tvalid(s_axis_tvalid), .s_axis_tready(s_axis_tready),
    .m_axis_tdata(m_axis_tdata), .m_axis_tvalid(valid), .m_axis_tready(m_axis_tready || drain)
  );
endmodule

`default_nettype wire
