// One channel of one token in the vector unit: sums of taps, PReLU, shift, saturation. See bvit_engine_vector.
//
// In 32 bits, modulo 2^32. A tap comes as `x` with its coefficient, and is added four cycles later; a cycle before that
// come `adds`, or with a tap behind the PReLU `adds_post`. In the cycle of the sum come `first`, which begins anew, and
// the biases; `slope` comes three cycles behind it. The result is `y`, ten cycles behind the last tap's sum.
`default_nettype none

module bvit_engine_lane #(
  localparam int WIDE = bvit_engine_pkg::VECTOR_BITS,
  localparam int SUM = bvit_engine_pkg::MATRIX_BITS,
  localparam int FACTOR = bvit_engine_pkg::FACTOR_BITS
) (
  input  wire logic                   clk,
  input  wire logic signed [SUM-1:0]  x,
  input  wire logic signed [15:0]     coef,
  input  wire logic                   plain,       // with the product: no coefficient
  input  wire logic [1:0]             shift_high,  // with the product, in bytes
  input  wire logic [2:0]             shift_low,   // a cycle later
  input  wire logic                   adds,        // with shift_low
  input  wire logic                   adds_post,
  input  wire logic                   first,       // a cycle later
  input  wire logic [WIDE-1:0]        bias,
  input  wire logic [WIDE-1:0]        bias2,
  input  wire logic signed [15:0]     slope,
  // of the command
  input  wire logic                   prelu,
  input  wire logic [4:0]             mid_shift,
  input  wire logic [15:0]            one,         // 1 << slope_shift
  input  wire logic [4:0]             out_shift,
  input  wire logic [WIDE-1:0]        above,       // the bits that saturation makes alike: from the sign's on
  output      logic signed [WIDE-1:0] y
);
  localparam int PRODUCT = FACTOR + 17;

  // Taps
  logic signed [SUM-1:0] x_q, x2_q;
  logic signed [15:0] coef_q;
  /* verilator lint_off UNUSEDSIGNAL */
  (* use_dsp = "yes" *) logic signed [FACTOR+15:0] product_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [WIDE-1:0] term, high_q, low, low_q, low_post_q, before_q, after_q;
  assign low = high_q << shift_low;
  assign term = plain ? WIDE'(x2_q) : product_q[WIDE-1:0];
  always_ff @(posedge clk) begin
    x_q <= x;
    coef_q <= coef;
    x2_q <= x_q;
    product_q <= $signed(x_q[FACTOR-1:0]) * coef_q;
    high_q <= term << {shift_high, 3'd0};
    // Two registers that are cleared, so that the sums are an adder and nothing else.
    low_q <= adds ? low : '0;
    low_post_q <= adds_post ? low : '0;
    before_q <= (first ? bias : before_q) + low_q;
    after_q <= (first ? bias2 : after_q) + low_post_q;
  end

  // PReLU: what is at least 0 is multiplied by a power of two.
  logic signed [WIDE-1:0] mid_q;
  logic signed [FACTOR-1:0] mid2_q, mid3_q;
  logic signed [16:0] factor_q;
  /* verilator lint_off UNUSEDSIGNAL */
  (* use_dsp = "yes" *) logic signed [PRODUCT-1:0] bent_q;
  /* verilator lint_on UNUSEDSIGNAL */
  logic [3:0][WIDE-1:0] rest_q;
  always_ff @(posedge clk) begin
    mid_q <= $signed(before_q) >>> {mid_shift[4:3], 3'd0};
    mid2_q <= FACTOR'(mid_q >>> mid_shift[2:0]);
    mid3_q <= mid2_q;
    if (!prelu) factor_q <= '0;
    else factor_q <= mid2_q[FACTOR-1] ? 17'(slope) : {1'b0, one};
    bent_q <= mid3_q * factor_q;
    rest_q <= {rest_q[2:0], prelu ? after_q : before_q};
  end

  // Shift and saturation
  logic signed [WIDE-1:0] sum_q, byte_q, shifted_q, kept_q;
  logic fits_q;
  always_ff @(posedge clk) begin
    sum_q <= rest_q[3] + bent_q[WIDE-1:0];
    byte_q <= sum_q >>> {out_shift[4:3], 3'd0};
    shifted_q <= byte_q >>> out_shift[2:0];
    kept_q <= shifted_q;
    fits_q <= (shifted_q & above) == '0 || (~shifted_q & above) == '0;
    y <= fits_q ? kept_q : (above & {WIDE{kept_q[WIDE-1]}}) | (~above & {WIDE{!kept_q[WIDE-1]}});
  end
endmodule

`default_nettype wire
