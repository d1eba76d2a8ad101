// A key's N bits as the word that bvit_popcount_majority wants: the third member of each group of
// level 0 gives way to the group's parity, parities of the upper levels follow as far as WORD
// reaches. Combinational.
`default_nettype none

module bvit_attention_encode #(
  parameter int N = 64,
  parameter int WORD = 72
) (
  input  wire logic [   N-1:0] key,
  output wire logic [WORD-1:0] word
);

  // Sizes and places of the levels, as in bvit_popcount_parity.
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

  function automatic int upper_groups(input int level);
    int total;
    total = 0;
    for (int i = 1; i < level; i++) total = total + level_size(i) / 3;
    return total;
  endfunction

  function automatic int level_count();
    int count;
    count = 0;
    while (level_size(count) > 2) count = count + 1;
    return count;
  endfunction

  localparam int LEVELS = level_count();
  localparam int TOTAL = level_offset(LEVELS + 1);
  localparam int GROUPS = N / 3;

  if (WORD < N || WORD > N + upper_groups(LEVELS)) begin : gen_bad_word
    $error("bvit_attention_encode: WORD=%0d must lie in %0d..%0d",
           WORD, N, N + upper_groups(LEVELS));
  end

  /* verilator lint_off UNUSEDSIGNAL */
  wire logic [TOTAL-1:0] levels;  // only the parities that are stored
  /* verilator lint_on UNUSEDSIGNAL */
  bvit_popcount_parity #(
    .N(N),
    .TOTAL(TOTAL)
  ) u_parity (
    .x(key),
    .levels
  );

  for (genvar i = 0; i < N; i++) begin : gen_bit
    if (i >= 2 * GROUPS && i < 3 * GROUPS) begin : gen_parity
      assign word[i] = levels[N+i-2*GROUPS];
    end else begin : gen_key
      assign word[i] = key[i];
    end
  end
  for (genvar l = 1; l < LEVELS; l++) begin : gen_level
    for (genvar i = 0; i < level_size(l) / 3; i++) begin : gen_group
      if (N + upper_groups(l) + i < WORD) begin : gen_stored
        assign word[N+upper_groups(l)+i] = levels[level_offset(l+1)+i];
      end
    end
  end

endmodule

`default_nettype wire
