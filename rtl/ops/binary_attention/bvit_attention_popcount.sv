// Number of ones among N bits, two enabled cycles later: a register after the first six-input
// counters and one after the sum. Data only: nothing is reset.
`default_nettype none

module bvit_attention_popcount #(
  parameter int N = 32,
  localparam int BITS = $clog2(N + 1)
) (
  input  wire logic            clk,
  input  wire logic            en,
  input  wire logic [   N-1:0] bits,
  output wire logic [BITS-1:0] count
);

  localparam int GROUPS = (N + 5) / 6;
  localparam int COLUMN_BITS = $clog2(GROUPS + 1);

  wire logic [GROUPS-1:0] ones, twos, fours;
  logic [GROUPS-1:0] ones_q, twos_q, fours_q;
  wire logic [COLUMN_BITS-1:0] count1, count2, count4;
  logic [BITS-1:0] count_q;

  bvit_attention_sixes #(.N(N)) u_sixes (.bits, .ones, .twos, .fours);
  bvit_attention_count #(.N(GROUPS)) u_ones (.bits(ones_q), .count(count1));
  bvit_attention_count #(.N(GROUPS)) u_twos (.bits(twos_q), .count(count2));
  bvit_attention_count #(.N(GROUPS)) u_fours (.bits(fours_q), .count(count4));

  always_ff @(posedge clk) begin
    if (en) begin
      ones_q <= ones;
      twos_q <= twos;
      fours_q <= fours;
      count_q <= BITS'(count1) + BITS'({count2, 1'b0}) + BITS'({count4, 2'b00});
    end
  end
  assign count = count_q;

endmodule

`default_nettype wire
