// What is proven of a stream that goes out: an offered beat stays, unchanged, until it is taken, and nothing is offered
// from the second cycle of a reset on until a cycle after it. The sink's ready is arbitrary.
`include "fv.svh"
`default_nettype none

module fv_sink #(
  parameter int W = 8,
  parameter bit REGISTERED = 1'b1  // valid is a register: it is low in the cycle after a reset, too
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic         after_reset,
  input wire logic [W-1:0] tdata,
  input wire logic         tvalid,
  input wire logic         tready
);
  logic         held_q = 1'b0;
  logic [W-1:0] tdata_q;
  always_ff @(posedge clk) begin
    held_q <= tvalid && !tready && !rst;
    tdata_q <= tdata;
  end
  `FV_ASSERT(out_stays, rst || !held_q || tvalid)
  `FV_ASSERT(out_data_stay, rst || !held_q || tdata == tdata_q)
  `FV_ASSERT(out_none_in_reset, !after_reset || !(rst || REGISTERED) || !tvalid)
  `FV_COVER_POINT(out_waits, !rst && held_q && tvalid && !tready)
endmodule

`default_nettype wire
