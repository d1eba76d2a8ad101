// The first token of each frame of TOKENS tokens; the others are dropped.
//
// Throughput: one input beat a cycle, no bubbles. Latency: 0 cycles. Data pass through; output valid
// is combinational on input valid, and for the first token input ready on output ready. A beat that
// is dropped is taken at once, whatever the output does. Valid never depends on ready.
`default_nettype none

module bvit_first_token #(
  parameter int TOKENS = 4,
  parameter int CHANNELS = 8,
  parameter int BITS = 8,
  parameter int PE = 2
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic [PE*BITS-1:0] s_axis_tdata,
  input  wire logic               s_axis_tvalid,
  output      logic               s_axis_tready,
  output      logic [PE*BITS-1:0] m_axis_tdata,
  output      logic               m_axis_tvalid,
  input  wire logic               m_axis_tready
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_illegal_pe
    $error("bvit_first_token: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (TOKENS < 1 || BITS < 1) begin : gen_illegal_shape
    $error("bvit_first_token: TOKENS=%0d and BITS=%0d must be positive", TOKENS, BITS);
  end

  logic take, last_beat, wanted;
  assign take = s_axis_tvalid && s_axis_tready;
  assign s_axis_tready = m_axis_tready || !wanted;
  assign m_axis_tdata = s_axis_tdata;
  assign m_axis_tvalid = s_axis_tvalid && wanted;

  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(CHANNELS / PE)) u_beat (
    .clk, .rst, .step(take), .index(), .first(), .last(last_beat)
  );
  bvit_loop_counter #(.COUNT(TOKENS)) u_token (
    .clk, .rst, .step(take && last_beat), .index(), .first(wanted), .last()
  );
  /* verilator lint_on PINCONNECTEMPTY */
endmodule

`default_nettype wire
