// One channel of one token in the vector unit: sums of taps, PReLU, shift, saturation. See bvit_engine_vector.
//
// Two DSPs. The first multiplies a tap by its factor and adds it up; the second is the PReLU with what is added behind
// it. A tap is one of two sums of the matrix unit, or a byte, or 256 times that; its factor comes a cycle later,
// 0 where there is no tap. Two cycles behind `byte_in` come `first`, which begins anew, and `bias`; three cycles
// behind it `slope`, five behind it `bias2`. The result is `y`, seven cycles behind the last tap's sum.
// There are four shifts each, for a multiplexer of four is one LUT a bit: the compiler scales the factors.
`default_nettype none

module bvit_engine_lane #(
  localparam int SUM = bvit_engine_pkg::SUM_BITS,
  localparam int WIDE = bvit_engine_pkg::VECTOR_BITS,
  localparam int FACTOR = bvit_engine_pkg::FACTOR_BITS,
  localparam int RESULT = bvit_engine_pkg::RESULT_BITS
) (
  input  wire logic                     clk,
  input  wire logic signed [SUM-1:0]    sum0,
  input  wire logic signed [SUM-1:0]    sum1,
  input  wire logic signed [8:0]        byte_in,
  input  wire logic                     matrix,
  input  wire logic                     second,      // the second sum, or 256 times the byte
  input  wire logic signed [FACTOR-1:0] factor,
  input  wire logic                     first,
  input  wire logic signed [WIDE-1:0]   bias,
  input  wire logic signed [FACTOR-1:0] slope,
  input  wire logic signed [WIDE-1:0]   bias2,
  // of the command
  input  wire logic [1:0]               mid_shift,   // in fours
  input  wire logic signed [FACTOR-1:0] one,         // 1 << slope_shift
  input  wire logic [1:0]               out_shift,   // 0, 8, 12, 16
  input  wire logic [RESULT-1:0]        above,       // the bits that saturation makes alike: from the sign's on
  output      logic signed [RESULT-1:0] y
);
  // Taps
  logic signed [SUM-1:0] x_q;
  /* verilator lint_off UNUSEDSIGNAL */
  (* use_dsp = "yes" *) logic signed [SUM+FACTOR-1:0] product_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [WIDE-1:0] before_q;
  always_ff @(posedge clk) begin
    unique case ({matrix, second})
      2'd0: x_q <= SUM'(byte_in);
      2'd1: x_q <= SUM'(byte_in) <<< 8;
      2'd2: x_q <= sum0;
      default: x_q <= sum1;
    endcase
    product_q <= x_q * factor;
    before_q <= WIDE'(product_q) + (first ? bias : before_q);
  end

  // PReLU: what is at least 0 is multiplied by a power of two.
  logic signed [SUM-1:0] mid_q;
  logic signed [FACTOR-1:0] bend_q;
  /* verilator lint_off UNUSEDSIGNAL */
  (* use_dsp = "yes" *) logic signed [SUM+FACTOR-1:0] bent_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic signed [WIDE-1:0] after_q;
  always_ff @(posedge clk) begin
    mid_q <= SUM'(before_q >>> {mid_shift, 2'd0});
    bend_q <= before_q[WIDE-1] ? slope : one;
    bent_q <= mid_q * bend_q;
    after_q <= WIDE'(bent_q) + bias2;
  end

  // Shift and saturation
  logic signed [RESULT-1:0] shifted_q, kept_q;
  logic fits_q;
  always_ff @(posedge clk) begin
    unique case (out_shift)
      2'd0: shifted_q <= RESULT'(after_q);
      2'd1: shifted_q <= RESULT'(after_q >>> 8);
      2'd2: shifted_q <= RESULT'(after_q >>> 12);
      default: shifted_q <= RESULT'(after_q >>> 16);
    endcase
    kept_q <= shifted_q;
    fits_q <= ((shifted_q ^ {RESULT{shifted_q[RESULT-1]}}) & above) == '0;
    y <= fits_q ? kept_q : (above & {RESULT{kept_q[RESULT-1]}}) | (~above & {RESULT{!kept_q[RESULT-1]}});
  end
endmodule

`default_nettype wire
