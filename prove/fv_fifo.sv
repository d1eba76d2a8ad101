// bvit_fifo: order, occupancy up to exactly DEPTH, ready whenever it is not full, latency.
`include "fv.svh"
`default_nettype none

module fv_fifo #(
  parameter int W = 2,
  parameter int DEPTH = 2,
  parameter int STYLE = 0,
  parameter int ROWS = 4096
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic         pick,
  input wire logic [W-1:0] s_axis_tdata,
  input wire logic         s_axis_tvalid,
  input wire logic         m_axis_tready
);
  localparam int LATENCY = (STYLE > 0) ? 2 : (DEPTH == 2) ? 0 : 1;
  localparam int LEVEL_BITS = $clog2(DEPTH + 3);
  logic after_reset, s_axis_tready, m_axis_tvalid;
  logic [W-1:0] m_axis_tdata;
  logic [LEVEL_BITS-1:0] level;

  bvit_fifo #(
    .W(W),
    .DEPTH(DEPTH),
    .STYLE(STYLE),
    .ROWS(ROWS)
  ) dut (.*);

  fv_reset u_reset (.*);
  fv_source #(.W(W)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(W)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  fv_order #(
    .UNIT(W),
    .MOST(DEPTH),
    .LATENCY(LATENCY)
  ) u_order (
    .clk, .rst, .pick, .which('0),
    .push(s_axis_tvalid && s_axis_tready), .push_data(s_axis_tdata),
    .valid(m_axis_tvalid), .pop(m_axis_tvalid && m_axis_tready), .pop_data(m_axis_tdata),
    .level
  );

  `FV_ASSERT(ready_iff_room, rst || s_axis_tready == (!after_reset && level != LEVEL_BITS'(DEPTH)))
  `FV_COVER_POINT(full, !rst && level == LEVEL_BITS'(DEPTH))
  `FV_COVER_POINT(full_rate, !rst && level == LEVEL_BITS'(DEPTH - 1) && s_axis_tvalid && s_axis_tready && m_axis_tready)
endmodule

`default_nettype wire
