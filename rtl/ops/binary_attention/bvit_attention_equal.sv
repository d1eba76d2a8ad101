// Number of equal bits of two words of N, four enabled cycles later. Data only: nothing is reset.
//
// The first stage merges the comparisons into full adders over three of them: majority and parity
// of three XNORs are one six-input LUT each. Two stages count the two columns, the last adds them.
`default_nettype none

module bvit_attention_equal #(
  parameter int N = 32,
  localparam int BITS = $clog2(N + 1)
) (
  input  wire logic            clk,
  input  wire logic            en,
  input  wire logic [   N-1:0] a,
  input  wire logic [   N-1:0] b,
  output wire logic [BITS-1:0] count
);

  localparam int TRIPLES = N / 3;
  localparam int ONES = TRIPLES + N % 3;

  wire logic [N-1:0] same = ~(a ^ b);
  logic [ONES-1:0] ones_q;
  wire logic [$clog2(ONES + 1)-1:0] ones_count;
  logic [BITS-1:0] count_q;

  for (genvar i = 0; i < ONES; i++) begin : gen_ones
    if (i < TRIPLES) begin : gen_parity
      always_ff @(posedge clk) if (en) ones_q[i] <= ^same[3*i+:3];
    end else begin : gen_single
      always_ff @(posedge clk) if (en) ones_q[i] <= same[i+2*TRIPLES];
    end
  end
  bvit_attention_popcount #(
    .N(ONES)
  ) u_ones (
    .clk,
    .en,
    .bits (ones_q),
    .count(ones_count)
  );

  if (TRIPLES > 0) begin : gen_twos
    logic [TRIPLES-1:0] twos_q;
    wire logic [$clog2(TRIPLES + 1)-1:0] twos_count;
    for (genvar i = 0; i < TRIPLES; i++) begin : gen_majority
      wire logic [2:0] p = same[3*i+:3];
      always_ff @(posedge clk) if (en) twos_q[i] <= (p[0] & p[1]) | (p[0] & p[2]) | (p[1] & p[2]);
    end
    bvit_attention_popcount #(
      .N(TRIPLES)
    ) u_twos (
      .clk,
      .en,
      .bits (twos_q),
      .count(twos_count)
    );
    always_ff @(posedge clk) if (en) count_q <= BITS'(ones_count) + BITS'({twos_count, 1'b0});
  end else begin : gen_no_twos
    always_ff @(posedge clk) if (en) count_q <= BITS'(ones_count);
  end
  assign count = count_q;

endmodule

`default_nettype wire
