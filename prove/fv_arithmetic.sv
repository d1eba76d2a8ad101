// Arithmetic without state between results: equal to its specification for all inputs. UNIT chooses the module.
`include "fv.svh"
`default_nettype none

module fv_arithmetic #(
  // 0 booth_mul, 1 affine_mul with USE_DSP, 2 without, 3 saturate, 4 adder_tree, 5 popcount_plain, 6 popcount_shared,
  // 7 attention_equal, 8 attention_popcount, 9 adder_tree of unsigned values, 10 pool_mac with USE_DSP, 11 without
  parameter int UNIT = 0,
  parameter int N = 4,      // bits of the first operand, or number of operands
  parameter int M = 4,      // bits of the second operand, or of an operand
  parameter int SHIFT = 0,
  parameter int STEPS = 0,  // latency in enabled cycles
  parameter int PRIMITIVES = 0
) (
  input wire logic           clk,
  input wire logic           rst,
  input wire logic           en,
  input wire logic [N*M-1:0] a,
  input wire logic [N*M-1:0] b
);
  localparam int OUT = 24;
  logic after_reset;
  fv_reset u_reset (.*);
  logic signed [OUT-1:0] expected, result;

  if (UNIT <= 2) begin : gen_mul
    logic signed [N-1:0] x;
    logic signed [M-1:0] c;
    logic signed [N+M-1:0] p;
    assign x = a[N-1:0];
    assign c = b[M-1:0];
    assign expected = OUT'(x) * OUT'(c);
    assign result = OUT'(p);
    if (UNIT == 0) begin : gen_booth
      bvit_booth_mul #(.X_BITS(N), .C_BITS(M)) dut (.clk, .en, .x, .c, .p);
    end else begin : gen_affine
      bvit_affine_mul #(.X_BITS(N), .C_BITS(M), .USE_DSP(UNIT == 1)) dut (.clk, .en, .x, .c, .p);
    end
  end else if (UNIT == 3) begin : gen_saturate
    logic signed [N-1:0] x, floor;
    logic signed [M-1:0] y;
    localparam int HIGH = (1 << (M - 1)) - 1;
    assign x = a[N-1:0];
    assign floor = x >>> SHIFT;
    assign expected = (OUT'(floor) > OUT'(HIGH)) ? OUT'(HIGH)
      : (OUT'(floor) < OUT'(-HIGH - 1)) ? OUT'(-HIGH - 1) : OUT'(floor);
    assign result = OUT'(y);
    bvit_saturate #(.IN_BITS(N), .SHIFT(SHIFT), .OUT_BITS(M)) dut (.x, .y);
  end else if (UNIT == 4 || UNIT == 9) begin : gen_sum
    always_comb begin
      expected = '0;
      for (int i = 0; i < N; i++) begin
        expected += (UNIT == 4) ? OUT'(signed'(a[i*M+:M])) : signed'(OUT'({1'b0, a[i*M+:M]}));
      end
    end
    if (UNIT == 4) begin : gen_signed
      logic signed [M+$clog2(N)-1:0] sum;
      bvit_adder_tree #(.N(N), .BITS(M)) dut (.clk, .en, .x(a), .sum(sum));
      assign result = OUT'(sum);
    end else begin : gen_unsigned
      logic [M+$clog2(N)-1:0] total;
      bvit_adder_tree #(.N(N), .BITS(M), .SIGNED(1'b0)) dut (.clk, .en, .x(a), .sum(total));
      assign result = OUT'({1'b0, total});
    end
  end else if (UNIT <= 6) begin : gen_popcount
    // The word comes an enabled cycle after its beat.
    localparam int BITS = $clog2(N + 1);
    logic [N-1:0] weights_q, word;
    logic [BITS-1:0] row_a, row_b;
    logic tag;
    always_ff @(posedge clk) if (en) weights_q <= b[N-1:0];
    assign expected = OUT'($countones(~(a[N-1:0] ^ b[N-1:0])));
    assign result = OUT'(BITS'(row_a + row_b));
    if (UNIT == 5) begin : gen_plain
      assign word = weights_q;
      assign row_b = '0;
      bvit_popcount_plain #(.N(N), .LANES(1), .TAGS(1), .BITS(BITS)) dut (
        .clk, .rst, .en, .s_tags(1'b0), .s_bits(a[N-1:0]), .word, .m_tags(tag), .row(row_a)
      );
    end else begin : gen_shared
      // WORD = N: the third member of each group of three holds the group's parity.
      bvit_attention_encode #(.N(N), .WORD(N)) u_encode (.key(weights_q), .word);
      bvit_popcount_shared #(
        .N(N), .LANES(1), .WORD(N), .TAGS(1), .BITS(BITS), .USE_PRIMITIVES(PRIMITIVES)
      ) dut (
        .clk, .rst, .en, .s_tags(1'b0), .s_bits(a[N-1:0]), .word, .m_tags(tag), .row_a, .row_b
      );
    end
  end else if (UNIT <= 8) begin : gen_count
    logic [$clog2(N+1)-1:0] count;
    if (UNIT == 7) begin : gen_equal
      bvit_attention_equal #(.N(N)) dut (.clk, .en, .a(a[N-1:0]), .b(b[N-1:0]), .count);
      assign expected = OUT'($countones(~(a[N-1:0] ^ b[N-1:0])));
    end else begin : gen_ones
      bvit_attention_popcount #(.N(N)) dut (.clk, .en, .bits(a[N-1:0]), .count);
      assign expected = OUT'($countones(a[N-1:0]));
    end
    assign result = OUT'({1'b0, count});
  end else begin : gen_mac
    logic signed [N-1:0] x;
    logic signed [M-1:0] c;
    logic signed [N+M:0] z_q, p;
    assign x = a[N-1:0];
    assign c = b[M-1:0];
    always_ff @(posedge clk) if (en) z_q <= (N + M + 1)'(signed'(a[N+:M]));
    assign expected = OUT'(x) * OUT'(c) + OUT'(signed'(a[N+:M]));
    assign result = OUT'(p);
    bvit_pool_mac #(.X_BITS(N), .C_BITS(M), .P_BITS(N + M + 1), .USE_DSP(UNIT == 10)) dut (
      .clk, .en, .x, .c, .z(z_q), .p
    );
  end

  // The specification's result, as late as the module's.
  logic signed [OUT-1:0] late[STEPS+1];
  logic [STEPS:0] there;
  assign late[0] = expected;
  assign there[0] = 1'b1;
  for (genvar i = 0; i < STEPS; i++) begin : gen_step
    logic signed [OUT-1:0] late_q;
    logic there_q;
    always_ff @(posedge clk) begin
      if (en) late_q <= late[i];
      if (rst) there_q <= 1'b0;
      else if (en) there_q <= there[i];
    end
    assign late[i+1] = late_q;
    assign there[i+1] = there_q;
  end
  `FV_ASSERT(as_specified, rst || !there[STEPS] || result == late[STEPS])
  `FV_COVER_POINT(not_zero, !rst && there[STEPS] && late[STEPS] != '0 && after_reset == (STEPS == 0))
endmodule

`default_nettype wire
