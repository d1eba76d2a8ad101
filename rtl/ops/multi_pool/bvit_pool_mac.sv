// p = x*c + z with a product and a sum register: one DSP48E1, or lookup tables for USE_DSP 0.
//
// z is added to the product of the enabled cycle before, so it is presented one cycle after x and c;
// p follows z by one enabled cycle. One result a cycle. x and c must come from registers, which a
// DSP48E1 then absorbs.
`default_nettype none

module bvit_pool_mac #(
  parameter int X_BITS = 8,
  parameter int C_BITS = 8,
  parameter int P_BITS = 24,  // must hold every sum
  parameter bit USE_DSP = 1'b1
) (
  input  wire logic                     clk,
  input  wire logic                     en,
  input  wire logic signed [X_BITS-1:0] x,
  input  wire logic signed [C_BITS-1:0] c,
  input  wire logic signed [P_BITS-1:0] z,
  output      logic signed [P_BITS-1:0] p
);
  localparam int M_BITS = X_BITS + C_BITS;
  if (P_BITS < M_BITS) begin : gen_illegal
    $error("bvit_pool_mac: P_BITS=%0d must be at least X_BITS + C_BITS = %0d", P_BITS, M_BITS);
  end

  if (USE_DSP) begin : gen_dsp
    (* use_dsp = "yes" *) logic signed [M_BITS-1:0] m_q;
    (* use_dsp = "yes" *) logic signed [P_BITS-1:0] p_q;
    always_ff @(posedge clk) begin
      if (en) begin
        m_q <= x * c;
        p_q <= P_BITS'(m_q) + z;
      end
    end
    assign p = p_q;
  end else begin : gen_lut
    (* use_dsp = "no" *) logic signed [P_BITS-1:0] p_q;
    logic signed [M_BITS-1:0] m_d, m_q;
    bvit_booth_mul #(
      .X_BITS(X_BITS),
      .C_BITS(C_BITS)
    ) u_mul (
      .clk(clk),
      .en,
      .x(x),
      .c(c),
      .p(m_d)
    );
    always_ff @(posedge clk) begin
      if (en) begin
        m_q <= m_d;
        p_q <= P_BITS'(m_q) + z;
      end
    end
    assign p = p_q;
  end
endmodule

`default_nettype wire
