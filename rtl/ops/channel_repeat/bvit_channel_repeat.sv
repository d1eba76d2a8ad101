// Copies of whole tokens along the channels: y[r*CHANNELS + c] = x[c] for r = 0 .. REPEAT-1.
//
// Where a beat is a whole token (PE = CHANNELS), COPIES of it leave side by side in each output beat.
// Throughput one output beat a cycle without bubbles; the next token is taken while the present one
// is repeated (two tokens are buffered). Latency 2 cycles. Input ready comes from a register.
`default_nettype none

module bvit_channel_repeat #(
  parameter int CHANNELS = 8,
  parameter int REPEAT = 2,
  parameter int BITS = 8,
  parameter int PE = 2,
  parameter int COPIES = 1,
  parameter bit BLOCK = 1'b0
) (
  input  wire logic                      clk,
  input  wire logic                      rst,
  input  wire logic [       PE*BITS-1:0] s_axis_tdata,
  input  wire logic                      s_axis_tvalid,
  output      logic                      s_axis_tready,
  output      logic [COPIES*PE*BITS-1:0] m_axis_tdata,
  output      logic                      m_axis_tvalid,
  input  wire logic                      m_axis_tready
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_illegal_pe
    $error("bvit_channel_repeat: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (REPEAT < 1 || BITS < 1) begin : gen_illegal_shape
    $error("bvit_channel_repeat: REPEAT=%0d and BITS=%0d must be positive", REPEAT, BITS);
  end

  if (COPIES < 1 || REPEAT % COPIES != 0 || (COPIES > 1 && PE != CHANNELS)) begin : gen_illegal_copies
    $error("bvit_channel_repeat: COPIES=%0d; allowed: 1, or with PE=CHANNELS a divisor of REPEAT=%0d", COPIES, REPEAT);
  end

  logic [PE*BITS-1:0] x;
  assign m_axis_tdata = {COPIES{x}};

  bvit_replay #(
    .WIDTH(PE * BITS),
    .BEATS(CHANNELS / PE),
    .OUTER(REPEAT / COPIES),
    .BLOCK(BLOCK)
  ) u_replay (
    .clk,
    .rst,
    .en(!m_axis_tvalid || m_axis_tready),
    .s_axis_tdata,
    .s_axis_tvalid,
    .s_axis_tready,
    /* verilator lint_off PINCONNECTEMPTY */
    .addr(),
    .x,
    .valid(m_axis_tvalid),
    .first(),
    .last()
    /* verilator lint_on PINCONNECTEMPTY */
  );
endmodule

`default_nettype wire
