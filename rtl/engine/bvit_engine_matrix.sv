// TOKENS x ROWS sums of COLUMNS products of signs, a step a cycle: XNOR, popcount, and what was added up before.
//
// A word of bits has COLUMNS bits of each token, octets outside `mask` count as 0, with `ones` all are 1. A word of
// weights has COLUMNS bits of each row. Both words come with the step. A sum is (twice, with `double`) what was added
// up since `first`, plus twice the equal bits less COLUMNS. It is even; a half of it is kept and given.
// `sums` change seven cycles behind a `last` step, and stay until those of the next one: valid is `done`.
`default_nettype none

module bvit_engine_matrix #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int USE_PRIMITIVES = 0,  // see bvit_binary_mvau
  localparam int COLUMNS = bvit_engine_pkg::COLUMNS,
  localparam int HALF = bvit_engine_pkg::SUM_BITS
) (
  input  wire logic                            clk,
  input  wire logic                            rst,
  input  wire logic                            valid,
  input  wire logic                            first,
  input  wire logic                            last,
  input  wire logic                            double,
  input  wire logic                            ones,
  input  wire logic [7:0]                      mask,
  input  wire logic [TOKENS-1:0][COLUMNS-1:0]  bits,
  input  wire logic [ROWS-1:0][COLUMNS-1:0]    weights,
  output      logic [TOKENS-1:0][ROWS-1:0][HALF-1:0] sums,
  output      logic                            done
);
  localparam int BITS = $clog2(COLUMNS + 1);
  localparam int WORD = COLUMNS + bvit_popcount_pkg::upper_groups(COLUMNS, bvit_popcount_pkg::last_level(COLUMNS));
  localparam int TAGS = 4;

  // The weights with their parities, once for all tokens; column by column, as the popcount wants them.
  logic [ROWS-1:0][WORD-1:0] encoded, encoded_q;
  logic [WORD*ROWS-1:0] word_q;
  for (genvar row = 0; row < ROWS; row++) begin : gen_row
    bvit_attention_encode #(
      .N(COLUMNS),
      .WORD(WORD)
    ) u_encode (
      .key(weights[row]),
      .word(encoded[row])
    );
    for (genvar i = 0; i < WORD; i++) begin : gen_column
      always_ff @(posedge clk) word_q[i*ROWS+row] <= encoded_q[row][i];
    end
  end
  always_ff @(posedge clk) encoded_q <= encoded;

  logic [COLUMNS-1:0] counted, ones_mask;
  assign ones_mask = {COLUMNS{ones}};
  for (genvar octet = 0; octet < bvit_engine_pkg::OCTETS; octet++) begin : gen_octet
    assign counted[octet*8+:8] = {8{mask[octet]}};
  end
  logic [TAGS-1:0] tags_q;
  always_ff @(posedge clk) begin
    if (rst) tags_q <= '0;
    else tags_q <= {valid, first, last, double};
  end

  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    logic [COLUMNS-1:0] bits_q;
    logic [BITS*ROWS-1:0] row_a, row_b, count_q;
    logic [TAGS-1:0] tags, add_q;
    always_ff @(posedge clk) bits_q <= (bits[token] & counted) | ones_mask;
    bvit_popcount_shared #(
      .N(COLUMNS),
      .LANES(ROWS),
      .WORD(WORD),
      .TAGS(TAGS),
      .BITS(BITS),
      .USE_PRIMITIVES(USE_PRIMITIVES)
    ) u_popcount (
      .clk,
      .rst,
      .en(1'b1),
      .s_tags(tags_q),
      .s_bits(bits_q),
      .word(word_q),
      .m_tags(tags),
      .row_a,
      .row_b
    );
    always_ff @(posedge clk) begin
      if (rst) add_q <= '0;
      else add_q <= tags;
    end
    logic adds, opens, closes, doubles;
    assign {adds, opens, closes, doubles} = add_q;
    for (genvar row = 0; row < ROWS; row++) begin : gen_sum
      logic [HALF-1:0] half_q, held, half, result_q;
      logic [BITS-1:0] count;
      logic signed [BITS-1:0] less;
      assign held = opens ? '0 : doubles ? {half_q[HALF-2:0], 1'b0} : half_q;
      // Equal bits, 0 to 64, less half the columns: the two highest bits say what they are then, in two's complement.
      assign count = count_q[row*BITS+:BITS];
      assign less = {!count[BITS-1] && !count[BITS-2], !count[BITS-2], count[BITS-3:0]};
      assign half = HALF'(less) + held;
      always_ff @(posedge clk) begin
        count_q[row*BITS+:BITS] <= row_a[row*BITS+:BITS] + row_b[row*BITS+:BITS];
        if (adds) half_q <= half;
        if (adds && closes) result_q <= half;
      end
      assign sums[token][row] = result_q;
    end
    if (token == 0) begin : gen_done
      always_ff @(posedge clk) begin
        if (rst) done <= 1'b0;
        else done <= adds && closes;
      end
    end
  end
endmodule

`default_nettype wire
