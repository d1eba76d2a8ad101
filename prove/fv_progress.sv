// Input ready does not stay away for ever: while no output stalls, an offered beat is taken within WAIT refusals.
`include "fv.svh"
`default_nettype none

module fv_progress #(
  parameter int WAIT = 1
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic tvalid,
  input wire logic tready,
  input wire logic outputs_ready  // all of them are ready in this cycle
);
  localparam int BITS = $clog2(WAIT + 2);
  logic [BITS-1:0] refused_q;
  always_ff @(posedge clk) begin
    if (rst || !tvalid || tready || !outputs_ready) refused_q <= '0;
    else if (refused_q <= BITS'(WAIT)) refused_q <= refused_q + 1'b1;
  end
  `FV_ASSERT(taken_in_time, rst || refused_q <= BITS'(WAIT))
  `FV_COVER_POINT(refused, !rst && tvalid && !tready)
endmodule

`default_nettype wire
