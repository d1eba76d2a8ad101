// Scores of LANES keys at once: how many of a key's N bits equal the query's.
//
// One group of keys a cycle. `query` and `s_tags` enter an enabled cycle before the keys' words,
// which are being read then; `m_tags` come out beside the scores, a fixed number of cycles later.
// Only the tags are reset.
// SHARED takes words of bvit_attention_encode and counts by shared parities (bvit_popcount_shared):
// the query's parities serve all lanes. Otherwise a word is the key itself.
`default_nettype none

module bvit_attention_score #(
  parameter int N = 64,
  parameter int LANES = 7,
  parameter int WORD = 72,
  parameter bit SHARED = 1'b1,
  parameter int TAGS = 3,
  localparam int BITS = $clog2(N + 1)
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  en,
  input  wire logic [      TAGS-1:0] s_tags,
  input  wire logic [         N-1:0] query,
  input  wire logic [LANES*WORD-1:0] words,   // of lane j: [j*WORD +: WORD]
  output wire logic [      TAGS-1:0] m_tags,
  output wire logic [LANES*BITS-1:0] scores
);

  if (SHARED) begin : gen_shared
    wire logic [WORD*LANES-1:0] by_position;
    wire logic [BITS*LANES-1:0] row_a, row_b;
    wire logic [TAGS-1:0] row_tags;
    logic [LANES*BITS-1:0] scores_q;
    logic [TAGS-1:0] tags_q;

    for (genvar lane = 0; lane < LANES; lane++) begin : gen_word
      for (genvar i = 0; i < WORD; i++) begin : gen_bit
        assign by_position[i*LANES+lane] = words[lane*WORD+i];
      end
    end
    bvit_popcount_shared #(
      .N(N),
      .LANES(LANES),
      .WORD(WORD),
      .TAGS(TAGS),
      .BITS(BITS)
    ) u_count (
      .clk,
      .rst,
      .en,
      .s_tags,
      .s_bits(query),
      .word(by_position),
      .m_tags(row_tags),
      .row_a,
      .row_b
    );
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      always_ff @(posedge clk) begin
        if (en) scores_q[lane*BITS+:BITS] <= row_a[lane*BITS+:BITS] + row_b[lane*BITS+:BITS];
      end
    end
    always_ff @(posedge clk) begin
      if (rst) tags_q <= '0;
      else if (en) tags_q <= row_tags;
    end
    assign scores = scores_q;
    assign m_tags = tags_q;
  end else begin : gen_plain
    if (WORD != N) begin : gen_bad_word
      $error("bvit_attention_score: WORD=%0d must be N=%0d without SHARED", WORD, N);
    end
    localparam int LATENCY = 5;
    logic [N-1:0] query_q;
    logic [LATENCY*TAGS-1:0] tags_q;
    always_ff @(posedge clk) if (en) query_q <= query;
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      bvit_attention_equal #(
        .N(N)
      ) u_equal (
        .clk,
        .en,
        .a(query_q),
        .b(words[lane*WORD+:N]),
        .count(scores[lane*BITS+:BITS])
      );
    end
    always_ff @(posedge clk) begin
      if (rst) tags_q <= '0;
      else if (en) tags_q <= {tags_q[(LATENCY-1)*TAGS-1:0], s_tags};
    end
    assign m_tags = tags_q[(LATENCY-1)*TAGS+:TAGS];
  end

endmodule

`default_nettype wire
