`default_nettype none

// Number of ones in (a AND b), or in (a XNOR b), two enabled cycles later.
//
// The first stage merges the products into full adders over three of them: majority and parity of three products are
// one six-input LUT each. The second stage counts the two columns. Data only: nothing is reset.
module bvit_attention_popcount #(
  parameter int N = 32,
  // 0: products are XNOR, 1: products are AND
  parameter bit PRODUCT_AND = 1'b0,
  localparam int CountBits = $clog2(N + 1)
) (
  input wire logic clk,
  input wire logic ce,
  input wire logic [N-1:0] a,
  input wire logic [N-1:0] b,
  output wire logic [CountBits-1:0] count
);

  localparam int Triples = N / 3;
  localparam int Ones = Triples + N % 3;

  logic [N-1:0] product;
  logic [Ones-1:0] ones_d, ones_q;
  logic [CountBits-1:0] count_q;

  assign product = PRODUCT_AND ? a & b : ~(a ^ b);
  for (genvar i = 3 * Triples; i < N; i++) begin : gen_single
    assign ones_d[i-2*Triples] = product[i];
  end
  assign count = count_q;

  if (Triples > 0) begin : gen_triples
    logic [Triples-1:0] twos_d, twos_q;
    for (genvar i = 0; i < Triples; i++) begin : gen_triple
      assign ones_d[i] = ^product[3*i+:3];
      assign twos_d[i] = (product[3*i] & product[3*i+1]) | (product[3*i] & product[3*i+2])
          | (product[3*i+1] & product[3*i+2]);
    end
    always_ff @(posedge clk) begin
      if (ce) begin
        ones_q <= ones_d;
        twos_q <= twos_d;
        count_q <= CountBits'($countones(ones_q)) + CountBits'(2 * $countones(twos_q));
      end
    end
  end else begin : gen_few
    always_ff @(posedge clk) begin
      if (ce) begin
        ones_q <= ones_d;
        count_q <= CountBits'($countones(ones_q));
      end
    end
  end

endmodule

`default_nettype wire
