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

  function automatic int level_size(input int level);
    int n;
    n = N;
    for (int i = 0; i < level; i++) n = n / 3 + n % 3;
    return n;
  endfunction

  function automatic int level_offset(input int level);
    int total;
    total = 0;
    for (int i = 0; i < level; i++) total = total + level_size(i);
    return total;
  endfunction

  function automatic int level_count();
    int n;
    int count;
    n = N;
    count = 0;
    while (n > 2) begin
      n = n / 3 + n % 3;
      count = count + 1;
    end
    return count;
  endfunction

  localparam int LEVELS = level_count();

  if (N < 3) begin : gen_bad_n
    $error("bvit_popcount_parity: N is below 3; a group needs three bits");
  end
  if (TOTAL != level_offset(LEVELS + 1)) begin : gen_bad_total
    $error("bvit_popcount_parity: TOTAL is not the sum of the level sizes");
  end

  assign levels[N-1:0] = x;

  for (genvar l = 0; l < LEVELS; l++) begin : gen_level
    localparam int SIZE = level_size(l);
    localparam int G = SIZE / 3;
    localparam int REST = SIZE % 3;
    localparam int FROM = level_offset(l);
    localparam int TO = FROM + SIZE;
    assign levels[TO+:G] = levels[FROM+:G] ^ levels[FROM+G+:G] ^ levels[FROM+2*G+:G];
    if (REST > 0) begin : gen_rest
      assign levels[TO+G+:REST] = levels[FROM+3*G+:REST];
    end
  end

endmodule

`default_nettype wire
