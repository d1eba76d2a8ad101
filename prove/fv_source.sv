// What a proof assumes of a stream that comes in: an offered beat stays, unchanged, until it is taken, and nothing is
// offered during reset (bvit_axis_check says the same of every stream in simulation). Data without valid are arbitrary.
`include "fv.svh"
`default_nettype none

module fv_source #(
  parameter int W = 8
) (
  input wire logic         clk,
  input wire logic         rst,
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
  `FV_ASSUME(in_stays, rst || !held_q || tvalid)
  `FV_ASSUME(in_data_stay, rst || !held_q || tdata == tdata_q)
  `FV_ASSUME(in_none_in_reset, !rst || !tvalid)
endmodule

`default_nettype wire
