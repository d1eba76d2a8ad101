// Signed multiplier with a product register: a DSP48E1, or lookup tables for USE_DSP 0.
//
// Latency STAGES enabled cycles, one product a cycle. The operands must come from registers, which a
// DSP48E1 then absorbs. With STAGES 2 lookup tables have a register in the middle of their rows.
`default_nettype none

module bvit_affine_mul #(
  parameter int X_BITS = 8,
  parameter int C_BITS = 8,
  parameter bit USE_DSP = 1'b1,
  parameter int STAGES = 1
) (
  input  wire logic                            clk,
  input  wire logic                            en,
  input  wire logic signed [X_BITS-1:0]        x,
  input  wire logic signed [C_BITS-1:0]        c,
  output      logic signed [X_BITS+C_BITS-1:0] p
);
  if (STAGES < 1 || STAGES > (USE_DSP ? 1 : 2)) begin : gen_illegal
    $error("bvit_affine_mul: STAGES=%0d must be 1, or 2 in lookup tables", STAGES);
  end

  if (USE_DSP) begin : gen_dsp
    (* use_dsp = "yes" *) logic signed [X_BITS+C_BITS-1:0] p_q;
    always_ff @(posedge clk) if (en) p_q <= x * c;
    assign p = p_q;
  end else begin : gen_lut
    (* use_dsp = "no" *) logic signed [X_BITS+C_BITS-1:0] p_q;
    logic signed [X_BITS+C_BITS-1:0] p_d;
    bvit_booth_mul #(
      .X_BITS(X_BITS),
      .C_BITS(C_BITS),
      .CUT((STAGES > 1) ? (C_BITS + 3) / 4 : 0)
    ) u_mul (
      .clk(clk),
      .en,
      .x(x),
      .c(c),
      .p(p_d)
    );
    always_ff @(posedge clk) if (en) p_q <= p_d;
    assign p = p_q;
  end
endmodule

`default_nettype wire
