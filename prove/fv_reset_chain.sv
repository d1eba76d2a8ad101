// bvit_reset_chain: no kernel leaves reset before all are in it, and the first one is the last to go on.
`include "fv.svh"
`default_nettype none

module fv_reset_chain #(
  parameter int HOLD = 2
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic request,
  input wire logic held
);
  logic after_reset, hold, datapath_rst;
  fv_reset u_reset (.*);
  bvit_reset_chain #(.HOLD(HOLD)) dut (.*);

  // What the last cycle was like, and for how many cycles in a row all kernels have said that they are in reset.
  logic hold_q, held_q, request_q, busy_q, asked_q;
  logic [7:0] all_q;
  always_ff @(posedge clk) begin
    hold_q <= hold;
    held_q <= held;
    request_q <= request || rst;
    busy_q <= datapath_rst && !rst;
    asked_q <= rst;
    if (rst || request || !held || !hold) all_q <= '0;
    else if (all_q != '1) all_q <= all_q + 8'd1;
  end
  `FV_ASSERT(at_once, rst || !request || datapath_rst)
  `FV_ASSERT(all_are_told, rst || !request_q || (hold && datapath_rst))
  `FV_ASSERT(none_is_told_alone, rst || !hold || datapath_rst)
  `FV_ASSERT(holds_long_enough, rst || request_q || !hold_q || hold || all_q > 8'(HOLD))
  `FV_ASSERT(goes_on_last, rst || asked_q || !busy_q || datapath_rst || (!hold_q && !held_q))
  `FV_COVER_POINT(released, !rst && busy_q && !datapath_rst)
endmodule

`default_nettype wire
