// A stored token before each frame: the beats of TOKEN_FILE, then the frame's own TOKENS tokens.
//
// The frame's first beat waits at the input while the stored token leaves: nothing comes out before
// there is a frame that it belongs to. Throughput: one output beat a cycle, no bubbles; the input
// stands still for the CHANNELS/PE cycles of the stored token. Latency: 1 cycle, from the offer of
// the frame's first beat to the stored token's, and from every input beat to its own. Input ready is
// combinational on output ready.
// TOKEN_FILE: a word for each beat of a token, lane PE-1 .. lane 0 from high to low bits.
// TOKEN_BLOCK puts it into block RAM.
`default_nettype none

module bvit_prepend_token #(
  parameter int TOKENS = 4,
  parameter int CHANNELS = 8,
  parameter int BITS = 8,
  parameter int PE = 2,
  parameter bit TOKEN_BLOCK = 1'b0,
  parameter TOKEN_FILE = ""
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
    $error("bvit_prepend_token: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (TOKENS < 1 || BITS < 1) begin : gen_illegal_shape
    $error("bvit_prepend_token: TOKENS=%0d and BITS=%0d must be positive", TOKENS, BITS);
  end

  localparam int BEATS = CHANNELS / PE;
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;

  logic en, step, last_beat, valid_q;
  logic own, own_q;  // it is the stored token's turn
  logic [BEAT_BITS-1:0] beat;
  logic [PE*BITS-1:0] stored, x_q;
  assign en = !valid_q || m_axis_tready;
  assign step = s_axis_tvalid && en;
  assign s_axis_tready = en && !own;
  assign m_axis_tvalid = valid_q;
  assign m_axis_tdata = own_q ? stored : x_q;
  always_ff @(posedge clk) begin
    if (rst) valid_q <= 1'b0;
    else if (en) valid_q <= s_axis_tvalid;
  end
  always_ff @(posedge clk) begin
    if (en) begin
      own_q <= own;
      x_q <= s_axis_tdata;
    end
  end

  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(BEATS), .ADDER(TOKEN_BLOCK)) u_beat (
    .clk, .rst, .step, .index(beat), .first(), .last(last_beat)
  );
  bvit_loop_counter #(.COUNT(TOKENS + 1)) u_token (
    .clk, .rst, .step(step && last_beat), .index(), .first(own), .last()
  );
  /* verilator lint_on PINCONNECTEMPTY */

  bvit_rom #(
    .WIDTH(PE * BITS),
    .DEPTH(BEATS),
    .BLOCK(TOKEN_BLOCK),
    .INIT_FILE(TOKEN_FILE)
  ) u_stored (
    .clk,
    .en,
    .addr(beat),
    .data(stored)
  );
endmodule

`default_nettype wire
