// Number of ones among N bits: six-input counters, then their three columns counted likewise.
// Combinational.
`default_nettype none

module bvit_attention_count #(
  parameter int N = 22,
  localparam int BITS = $clog2(N + 1)
) (
  input  wire logic [   N-1:0] bits,
  output wire logic [BITS-1:0] count
);

  if (N <= 6) begin : gen_direct
    assign count = BITS'($countones(bits));
  end else begin : gen_columns
    localparam int GROUPS = (N + 5) / 6;
    localparam int COLUMN_BITS = $clog2(GROUPS + 1);
    wire logic [GROUPS-1:0] ones, twos, fours;
    wire logic [COLUMN_BITS-1:0] count1, count2, count4;
    bvit_attention_sixes #(.N(N)) u_sixes (.bits, .ones, .twos, .fours);
    bvit_attention_count #(.N(GROUPS)) u_ones (.bits(ones), .count(count1));
    bvit_attention_count #(.N(GROUPS)) u_twos (.bits(twos), .count(count2));
    bvit_attention_count #(.N(GROUPS)) u_fours (.bits(fours), .count(count4));
    assign count = BITS'(count1) + BITS'({count2, 1'b0}) + BITS'({count4, 2'b00});
  end

endmodule

`default_nettype wire
