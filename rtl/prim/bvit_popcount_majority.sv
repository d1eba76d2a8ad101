// XNOR products of all lanes, reduced to majority bits (weight two) and one or two product bits
// (weight one), by the shared-parity recursion.
//
// The sum of three products is 2 * MAJ + parity, and parity = xnor(parity(x), parity(w)): with
// parity(x) at hand (bvit_popcount_parity) and parity(w) in the weight word, a group costs each lane
// one 6-input LUT, and the parities are again products, a third as many. Level by level,
//   sum(products) = 2 * sum(all majority bits) + sum(the products that are left, at most two).
//
// Weight word: WORD positions, LANES bits each (lane 0 lowest). Positions 0 .. N-1 are the weights
// (1 is +1) in the column order of the beat, but the third member of each level-0 group holds the
// parity of the three weights. Positions N .. WORD-1 hold the first group parities of levels 1, 2,
// ... in order; those that do not fit are computed here, one LUT each.
//
// Combinational.
`default_nettype none

module bvit_popcount_majority #(
  parameter int N = 64,      // products per lane, at least 3
  parameter int LANES = 32,
  parameter int TOTAL = 97,  // sum of the sizes of all levels
  parameter int WORD = 72,   // positions of a weight word
  parameter int MAJS = 31,   // majority bits per lane
  parameter int LSBS = 2     // products left per lane, 1 or 2
) (
  input  wire logic [     TOTAL-1:0] levels,
  input  wire logic [WORD*LANES-1:0] word,
  output wire logic [MAJS*LANES-1:0] majority,
  output wire logic [LSBS*LANES-1:0] rest
);

  localparam int LEVELS = bvit_popcount_pkg::last_level(N);
  localparam int G0 = N / 3;
  localparam int EXTRA = WORD - N;

  if (TOTAL != bvit_popcount_pkg::level_offset(N, LEVELS + 1) || LSBS != bvit_popcount_pkg::level_size(N, LEVELS)
      || MAJS != G0 + bvit_popcount_pkg::upper_groups(N, LEVELS)) begin : gen_bad_sizes
    $error("bvit_popcount_majority: TOTAL, MAJS or LSBS does not follow from N");
  end
  if (EXTRA < 0 || EXTRA > bvit_popcount_pkg::upper_groups(N, LEVELS)) begin : gen_bad_word
    $error("bvit_popcount_majority: WORD holds fewer than N or more than all parities");
  end

  // Activations copied to every lane, and weights of all levels.
  logic [TOTAL*LANES-1:0] x;
  logic [TOTAL*LANES-1:0] w;
  logic [TOTAL*LANES-1:0] product;

  for (genvar i = 0; i < TOTAL; i++) begin : gen_copy
    assign x[i*LANES+:LANES] = {LANES{levels[i]}};
  end

  assign product = x ~^ w;

  assign w[0+:2*G0*LANES] = word[0+:2*G0*LANES];
  assign w[2*G0*LANES+:G0*LANES] = word[0+:G0*LANES] ^ word[G0*LANES+:G0*LANES]
      ^ word[2*G0*LANES+:G0*LANES];
  if (N % 3 > 0) begin : gen_level0_rest
    assign w[3*G0*LANES+:(N%3)*LANES] = word[3*G0*LANES+:(N%3)*LANES];
  end
  // Level 1: the stored parities and the left-over weights lie side by side in the word.
  assign w[N*LANES+:(G0+N%3)*LANES] = word[2*G0*LANES+:(G0+N%3)*LANES];

  for (genvar l = 0; l < LEVELS; l++) begin : gen_level
    localparam int SIZE = bvit_popcount_pkg::level_size(N, l);
    localparam int G = SIZE / 3;
    localparam int REST = SIZE % 3;
    localparam int FROM = bvit_popcount_pkg::level_offset(N, l);
    localparam int TO = FROM + SIZE;
    localparam int OUT = (l == 0) ? 0 : G0 + bvit_popcount_pkg::upper_groups(N, l);

    wire logic [G*LANES-1:0] a = product[FROM*LANES+:G*LANES];
    wire logic [G*LANES-1:0] b = product[(FROM+G)*LANES+:G*LANES];
    wire logic [G*LANES-1:0] c = product[(FROM+2*G)*LANES+:G*LANES];
    assign majority[OUT*LANES+:G*LANES] = (a & b) | (a & c) | (b & c);

    if (l > 0) begin : gen_next
      localparam int SEEN = bvit_popcount_pkg::upper_groups(N, l);
      localparam int LEFT = (EXTRA > SEEN) ? EXTRA - SEEN : 0;
      localparam int STORED = (LEFT > G) ? G : LEFT;
      localparam int MADE = G - STORED;
      if (STORED > 0) begin : gen_stored
        assign w[TO*LANES+:STORED*LANES] = word[(N+SEEN)*LANES+:STORED*LANES];
      end
      if (MADE > 0) begin : gen_made
        assign w[(TO+STORED)*LANES+:MADE*LANES] = w[(FROM+STORED)*LANES+:MADE*LANES]
            ^ w[(FROM+G+STORED)*LANES+:MADE*LANES] ^ w[(FROM+2*G+STORED)*LANES+:MADE*LANES];
      end
      if (REST > 0) begin : gen_rest
        assign w[(TO+G)*LANES+:REST*LANES] = w[(FROM+3*G)*LANES+:REST*LANES];
      end
    end
  end

  assign rest = product[(TOTAL-LSBS)*LANES+:LSBS*LANES];

  // What a level leaves over counts as a product of the next one only.
  wire logic unused_product = &{1'b0, product};

endmodule

`default_nettype wire
