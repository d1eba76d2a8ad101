// Every level of the parity recursion over the activations of one beat.
//
// Level 0 is x itself. Of a level with n bits, bits g, G+g and 2G+g (G = n / 3) form group g;
// the next level holds the G group parities (XOR of three) and then the n % 3 bits that are left
// over. The recursion ends at two bits or one. The levels leave one after another, level 0 in the
// low bits. bvit_popcount_majority relies on the same numbering.
//
// Combinational; one instance serves all lanes of a unit, so its cost does not grow with PE.
`default_nettype none

module bvit_popcount_parity #(
  parameter int N = 64,    // bits of a beat, at least 3
  parameter int TOTAL = 97  // sum of the sizes of all levels
) (
  input  wire logic [    N-1:0] x,
  output wire logic [TOTAL-1:0] levels
);

  localparam int LEVELS = bvit_popcount_pkg::last_level(N);

  if (N < 3) begin : gen_bad_n
    $error("bvit_popcount_parity: N is below 3; a group needs three bits");
  end
  if (TOTAL != bvit_popcount_pkg::level_offset(N, LEVELS + 1)) begin : gen_bad_total
    $error("bvit_popcount_parity: TOTAL is not the sum of the level sizes");
  end

  assign levels[N-1:0] = x;

  for (genvar l = 0; l < LEVELS; l++) begin : gen_level
    localparam int SIZE = bvit_popcount_pkg::level_size(N, l);
    localparam int G = SIZE / 3;
    localparam int REST = SIZE % 3;
    localparam int FROM = bvit_popcount_pkg::level_offset(N, l);
    localparam int TO = FROM + SIZE;
    assign levels[TO+:G] = levels[FROM+:G] ^ levels[FROM+G+:G] ^ levels[FROM+2*G+:G];
    if (REST > 0) begin : gen_rest
      assign levels[TO+G+:REST] = levels[FROM+3*G+:REST];
    end
  end

endmodule

`default_nettype wire
