// Assertions on one AXI-Stream: what is offered stays offered and unchanged until it is taken, and
// nothing is offered right after reset. Instantiated beside a stream; synthesizes to nothing.
`default_nettype none

module bvit_axis_check #(
  parameter int W = 8,            // width of tdata in bits
  parameter NAME = "stream"// for the messages
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic [W-1:0] tdata,
  input wire logic         tvalid,
  input wire logic         tready
);
`ifndef SYNTHESIS
  logic [W-1:0] tdata_q;
  // Initial values, so that nothing is claimed about the time before the first clock edge.
  /* verilator lint_off PROCASSINIT */
  logic         held_q = 1'b0;   // a beat was offered and not taken
  logic         rst_q = 1'b0;
  /* verilator lint_on PROCASSINIT */

  always_ff @(posedge clk) begin
    tdata_q <= tdata;
    held_q <= tvalid && !tready && !rst;
    rst_q <= rst;
    if (!rst && held_q) begin
      assert (tvalid) else $error("%s: tvalid fell before tready: an offered beat was withdrawn", NAME);
      assert (tdata == tdata_q) else $error("%s: tdata changed while waiting for tready", NAME);
    end
    if (rst && rst_q) begin
      assert (!tvalid) else $error("%s: tvalid is high during reset", NAME);
    end
  end
`else
  wire unused = &{1'b0, clk, rst, tdata, tvalid, tready};
`endif
endmodule

`default_nettype wire
