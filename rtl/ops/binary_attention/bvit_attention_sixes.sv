// Six-input counters: bit i of `ones`, `twos` and `fours` together are the number of ones among the
// bits 6*i .. 6*i+5. Combinational, three LUTs a counter.
`default_nettype none

module bvit_attention_sixes #(
  parameter int N = 12,
  localparam int GROUPS = (N + 5) / 6
) (
  input  wire logic [     N-1:0] bits,
  output wire logic [GROUPS-1:0] ones,
  output wire logic [GROUPS-1:0] twos,
  output wire logic [GROUPS-1:0] fours
);

  wire logic [6*GROUPS-1:0] padded = (6 * GROUPS)'(bits);
  for (genvar i = 0; i < GROUPS; i++) begin : gen_counter
    assign {fours[i], twos[i], ones[i]} = 3'($countones(padded[6*i+:6]));
  end

endmodule

`default_nettype wire
