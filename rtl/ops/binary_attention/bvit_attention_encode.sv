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

  localparam int LEVELS = bvit_popcount_pkg::last_level(N);
  localparam int TOTAL = bvit_popcount_pkg::level_offset(N, LEVELS + 1);
  localparam int GROUPS = N / 3;

  if (WORD < N || WORD > N + bvit_popcount_pkg::upper_groups(N, LEVELS)) begin : gen_bad_word
    $error("bvit_attention_encode: WORD=%0d must lie in %0d..%0d",
           WORD, N, N + bvit_popcount_pkg::upper_groups(N, LEVELS));
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
    for (genvar i = 0; i < bvit_popcount_pkg::level_size(N, l) / 3; i++) begin : gen_group
      if (N + bvit_popcount_pkg::upper_groups(N, l) + i < WORD) begin : gen_stored
        assign word[N+bvit_popcount_pkg::upper_groups(N, l)+i] = levels[bvit_popcount_pkg::level_offset(N, l+1)+i];
      end
    end
  end

endmodule

`default_nettype wire
