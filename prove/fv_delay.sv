// bvit_delay: what goes in comes out STEPS enabled cycles later, unchanged; beyond SHIFT_STEPS through a ring in
// memory.
`include "fv.svh"
`default_nettype none

module fv_delay #(
  parameter int STEPS = 4,
  parameter int SHIFT_STEPS = 3,
  parameter int STYLE = 0
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic en,
  input wire logic pick,
  input wire logic d
);
  localparam int B = $clog2(STEPS + 2);
  logic q, after_reset;
  fv_reset u_reset (.*);
  bvit_delay #(.WIDTH(1), .STEPS(STEPS), .SHIFT_STEPS(SHIFT_STEPS), .STYLE(STYLE)) dut (.*);
  logic watch_q, value_q;
  logic [B-1:0] left_q;
  always_ff @(posedge clk) begin
    if (rst) watch_q <= 1'b0;
    else if (en && pick && !watch_q) watch_q <= 1'b1;
    else if (en && left_q == '0) watch_q <= 1'b0;
    if (en && !watch_q) begin
      value_q <= d;
      left_q <= B'(STEPS - 1);
    end else if (en) left_q <= left_q - 1'b1;
  end
  `FV_ASSERT(comes_after_steps, rst || !(watch_q && left_q == '0) || q == value_q)
  `FV_COVER_POINT(comes_out, !rst && watch_q && left_q == '0 && en && q)
  `FV_COVER_POINT(starts, after_reset && !rst && en)
endmodule

`default_nettype wire
