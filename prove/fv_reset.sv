// Every proof begins in ANY state of the registers and memories, with one cycle of reset; later resets come as they
// like. So what is proven holds after a reset of one cycle from whatever state, also in mid-frame.
`include "fv.svh"
`default_nettype none

module fv_reset (
  input  wire logic clk,
  input  wire logic rst,
  output logic      after_reset  // the cycle before was one of reset
);
  // The only registers with an initial value.
  logic started_q = 1'b0;
  logic rst_q = 1'b0;
  always_ff @(posedge clk) begin
    started_q <= 1'b1;
    rst_q <= rst;
  end
  assign after_reset = rst_q;
  `FV_ASSUME(begins_with_reset, started_q || rst)
endmodule

`default_nettype wire
