// The border of an operator with one input and one output: beats that go out stay, none goes out before its inputs,
// none is lost or doubled, and input ready comes back. UNIT chooses the module. Contents of memories are free, for no
// handshake may depend on data.
//
// Inputs and outputs are weighed: OUT for each beat in, -IN for each beat out, where IN beats give OUT. What the
// operator then owes is never negative, nor more than what it holds. A beat that is lost or doubled is owed, or
// missing, for ever, so that soon enough one of the two fails.
`include "fv.svh"
`default_nettype none

module fv_operator #(
  // 0 channel_pool, 1 spatial_pool, 2 patch_gather, 3 upsample, 4 channel_repeat, 5 binarize, 6 channel_affine,
  // 7 binary_mvau, 8 int_mvau, 9 serial_mvau, 10 multi_pool
  parameter int UNIT = 0,
  parameter int IN = 1,    // of the ratio of beats, in lowest terms
  parameter int OUT = 1,
  parameter int HELD = 2,  // owed at most
  parameter int WAIT = 1,  // refusals in a row while the output is ready
  parameter int A = 1,     // sizes of the module, see there
  parameter int B = 1
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic s_axis_tdata,
  input wire logic s_axis_tvalid,
  input wire logic m_axis_tready
);
  localparam int BITS = $clog2(HELD + IN + OUT + 2);
  logic after_reset, s_axis_tready, m_axis_tvalid;
  logic [7:0] m_axis_tdata;

  if (UNIT == 0) begin : gen_channel_pool
    logic signed [$clog2(A):0] sum;
    bvit_channel_pool #(.GROUP(A), .IN_BITS(1), .PE(1)) dut (.m_axis_tdata(sum), .*);
    assign m_axis_tdata = 8'(sum);
  end else if (UNIT == 1) begin : gen_spatial_pool
    logic signed [$clog2(A*B):0] sum;
    bvit_spatial_pool #(
      .WIDTH(2 * B), .CHANNELS(1), .WINDOW_H(A), .WINDOW_W(B), .IN_BITS(1), .PE(1)
    ) dut (.m_axis_tdata(sum), .*);
    assign m_axis_tdata = 8'(sum);
  end else if (UNIT == 2) begin : gen_patch_gather
    logic bits;
    bvit_patch_gather #(
      .WIDTH(2 * B), .CHANNELS(1), .WINDOW_H(A), .WINDOW_W(B), .BITS(1), .PE(1)
    ) dut (.m_axis_tdata(bits), .*);
    assign m_axis_tdata = 8'(bits);
  end else if (UNIT == 3) begin : gen_upsample
    logic bits;
    bvit_upsample #(.WIDTH(A), .CHANNELS(1), .FACTOR(B), .BITS(1), .PE(1)) dut (.m_axis_tdata(bits), .*);
    assign m_axis_tdata = 8'(bits);
  end else if (UNIT == 4) begin : gen_channel_repeat
    logic bits;
    bvit_channel_repeat #(.CHANNELS(A), .REPEAT(B), .BITS(1), .PE(1)) dut (.m_axis_tdata(bits), .*);
    assign m_axis_tdata = 8'(bits);
  end else if (UNIT == 5) begin : gen_binarize
    logic bits;
    bvit_binarize #(.PE(1), .BEATS(A), .IN_BITS(1)) dut (.m_axis_tdata(bits), .*);
    assign m_axis_tdata = 8'(bits);
  end else if (UNIT == 6) begin : gen_channel_affine
    logic signed [1:0] y;
    /* verilator lint_off PINCONNECTEMPTY */
    bvit_channel_affine #(
      .PE(1), .BEATS(A), .IN0_BITS(1), .COEF_BITS(2), .BIAS_BITS(2), .SUM_BITS(3), .PRELU(B == 1), .MID_BITS(3),
      .SLOPE_BITS(2), .SLOPE_SHIFT(1), .BIAS2_BITS(2), .RES_BITS(4), .OUT_SHIFT(1), .OUT_BITS(2)
    ) dut (
      .clk, .rst,
      .s0_axis_tdata(s_axis_tdata), .s0_axis_tvalid(s_axis_tvalid), .s0_axis_tready(s_axis_tready),
      .s1_axis_tdata(1'b0), .s1_axis_tvalid(1'b0), .s1_axis_tready(),
      .s2_axis_tdata(1'b0), .s2_axis_tvalid(1'b0), .s2_axis_tready(),
      .s3_axis_tdata(1'b0), .s3_axis_tvalid(1'b0), .s3_axis_tready(),
      .m_axis_tdata(y), .m_axis_tvalid, .m_axis_tready
    );
    /* verilator lint_on PINCONNECTEMPTY */
    assign m_axis_tdata = 8'(y);
  end else if (UNIT == 7) begin : gen_binary_mvau
    logic [$clog2(B+1):0] acc;
    bvit_binary_mvau #(.ROWS(A), .COLS(B), .PE(1), .SIMD(1)) dut (.m_axis_tdata(acc), .*);
    assign m_axis_tdata = 8'(acc);
  end else if (UNIT == 8) begin : gen_int_mvau
    logic [2:0] acc;
    bvit_int_mvau #(
      .PE(1), .SIMD(1), .ROW_FOLDS(A), .COL_FOLDS(B), .IN_BITS(1), .WEIGHT_BITS(2), .ACC_BITS(3), .USE_DSP(1'b0)
    ) dut (.m_axis_tdata(acc), .*);
    assign m_axis_tdata = 8'(acc);
  end else if (UNIT == 9) begin : gen_serial_mvau
    logic [3:0] acc;
    bvit_serial_mvau #(
      .PE(1), .SIMD(1), .COLS(B), .PHASES(A), .IN_BITS(2), .ACC_BITS(4), .COLS_A_STAGE(2), .TABLE_BITS(2), .SUM_BITS(3)
    ) dut (.s_axis_tdata({2{s_axis_tdata}}), .m_axis_tdata(acc), .*);
    assign m_axis_tdata = 8'(acc);
  end else begin : gen_multi_pool
    logic [1:0] p;
    bvit_multi_pool #(
      .HEIGHT(A), .WIDTH(B), .CHANNELS(1), .IN_BITS(1), .COEF_BITS(2), .BIAS_BITS(2), .OUT_SHIFT(1), .OUT_BITS(2),
      .PE(1), .USE_DSP(1'b0)
    ) dut (.m_axis_tdata(p), .*);
    assign m_axis_tdata = 8'(p);
  end

  logic take, give;
  logic [BITS-1:0] owed_q;  // goes round where one of the assertions fails
  assign take = s_axis_tvalid && s_axis_tready;
  assign give = m_axis_tvalid && m_axis_tready;
  always_ff @(posedge clk) begin
    if (rst) owed_q <= '0;
    else owed_q <= owed_q + (take ? BITS'(OUT) : '0) - (give ? BITS'(IN) : '0);
  end

  fv_reset u_reset (.*);
  fv_source #(.W(1)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(8)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  fv_progress #(.WAIT(WAIT)) u_progress (
    .clk, .rst, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .outputs_ready(m_axis_tready)
  );
  `FV_ASSERT(none_before_its_inputs, rst || !m_axis_tvalid || owed_q >= BITS'(IN))
  `FV_ASSERT(none_lost, rst || owed_q <= BITS'(HELD))
  `FV_COVER_POINT(as_much_as_said, !rst && owed_q == BITS'(HELD))
  `FV_COVER_POINT(several, !rst && give && take)
endmodule

`default_nettype wire
