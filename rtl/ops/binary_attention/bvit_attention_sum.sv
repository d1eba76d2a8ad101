// Sum of N unsigned words, a tree of adders with a register after each level: $clog2(N) enabled
// cycles of latency, none at all for N = 1. Data only: nothing is reset.
`default_nettype none

module bvit_attention_sum #(
  parameter int N = 4,
  parameter int BITS = 15,
  localparam int SumBits = BITS + $clog2(N)
) (
  input wire logic clk,
  input wire logic en,
  input wire logic [N*BITS-1:0] words,
  output wire logic [SumBits-1:0] total
);

  if (N == 1) begin : gen_one
    assign total = words;
    wire logic unused = &{1'b0, clk, en};
  end else begin : gen_tree
    localparam int Pairs = (N + 1) / 2;
    localparam int PairBits = BITS + 1;
    logic [Pairs*PairBits-1:0] pair_q;
    for (genvar i = 0; i < Pairs; i++) begin : gen_pair
      if (2 * i + 1 < N) begin : gen_add
        always_ff @(posedge clk) begin
          if (en) begin
            pair_q[i*PairBits+:PairBits] <= PairBits'(words[2*i*BITS+:BITS])
                + PairBits'(words[(2*i+1)*BITS+:BITS]);
          end
        end
      end else begin : gen_odd
        always_ff @(posedge clk) begin
          if (en) pair_q[i*PairBits+:PairBits] <= PairBits'(words[2*i*BITS+:BITS]);
        end
      end
    end
    bvit_attention_sum #(
      .N(Pairs),
      .BITS(PairBits)
    ) u_rest (
      .clk,
      .en,
      .words(pair_q),
      .total
    );
  end

endmodule

`default_nettype wire
