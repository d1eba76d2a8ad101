// Soft resets of an accelerator that is cut into kernels, one a die: the side of the first kernel.
//
// Whether kernels shall be in reset goes from each to the next as a level, and comes back from the
// last one the same way. So `held` says that all are in reset, and later that none is. Nothing is
// sent before. In reset every kernel throws away what it is sent: HOLD cycles empty whatever lies
// between two of them.
`default_nettype none

module bvit_reset_chain #(
  parameter int HOLD = 64  // cycles in reset once the last kernel is, more than beats between two
) (
  input  wire logic clk,
  input  wire logic rst,
  input  wire logic request,      // this kernel is reset: a level
  output logic      hold,         // to the next kernel
  input  wire logic held,         // from the last kernel
  output logic      datapath_rst  // from the request on, until the last kernel is out of reset
);
  localparam int LeftW = $clog2(HOLD + 1);

  if (HOLD < 1) begin : gen_bad_hold
    $error("bvit_reset_chain: HOLD must be at least 1");
  end

  logic [LeftW-1:0] left_q;
  logic             hold_q, busy_q;
  assign hold = hold_q;
  assign datapath_rst = request || busy_q;
  always_ff @(posedge clk) begin
    if (rst || request) begin
      hold_q <= 1'b1;
      busy_q <= 1'b1;
      left_q <= LeftW'(HOLD);
    end else if (hold_q) begin
      if (!held) left_q <= LeftW'(HOLD);
      else if (left_q != '0) left_q <= left_q - 1'b1;
      else hold_q <= 1'b0;
    end else begin
      busy_q <= busy_q && held;
    end
  end
endmodule

`default_nettype wire
