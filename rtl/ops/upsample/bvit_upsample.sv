// Nearest-neighbour upsampling of the token grid: y(Y, X) = x(Y div FACTOR, X div FACTOR).
//
// WIDTH is the output's. Throughput one output beat a cycle without bubbles; the next row is taken
// while the present one is repeated (two input rows are buffered). Latency 2 cycles. Input ready
// comes from a register.
`default_nettype none

module bvit_upsample #(
  parameter int WIDTH = 8,
  parameter int CHANNELS = 8,
  parameter int FACTOR = 2,
  parameter int BITS = 8,
  parameter int PE = 2,
  parameter bit BLOCK = 1'b0
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
    $error("bvit_upsample: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (FACTOR < 1 || WIDTH % FACTOR != 0) begin : gen_illegal_factor
    $error("bvit_upsample: FACTOR=%0d does not divide WIDTH=%0d", FACTOR, WIDTH);
  end

  bvit_replay #(
    .WIDTH(PE * BITS),
    .BEATS(CHANNELS / PE),
    .CHUNKS(WIDTH / FACTOR),
    .INNER(FACTOR),
    .OUTER(FACTOR),
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
    .x(m_axis_tdata),
    .valid(m_axis_tvalid),
    .first(),
    .last()
    /* verilator lint_on PINCONNECTEMPTY */
  );
endmodule

`default_nettype wire
