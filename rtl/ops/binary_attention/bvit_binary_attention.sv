// Binary attention, all heads: for each query row and head, E_j = table[popcount(xnor(q, k_j))],
// key j is attended iff E_j * 2**TABLE_SHIFT > T * sum(E), and channel c of the output is the
// number of attended keys with v_j[c] = 1 less the number of those with v_j[c] = 0.
//
// Streams: s0_axis q, s1_axis k, s2_axis v, SIMD channels a beat, tokens in raster order, all heads
// of a token one after another (head h owns channels h*HEAD_DIM ..); m_axis PE channels a beat,
// each signed, $clog2(KEYS+1)+1 bits wide.
//
// Throughput: a row (one query, one head) takes
// max(HEAD_DIM/SIMD, ceil(KEYS/KP), HEAD_DIM/PE * ceil(KEYS/MP)) cycles; where KP or MP does not
// divide KEYS, the last group leaves lanes without a key. No bubbles from row to row, nor from frame
// to frame when the next frame's k and v are there: they are stored while this frame's queries are
// worked on (two buffers each). A v beat takes SIMD/PE cycles where that is more than one. A frame's
// first row waits for all of the frame's k, its first output for all of its v; so q needs a buffer
// before it where q, k and v come from one source. Latency from a row's last q beat to its first
// output beat, k and v being there: 2 * ceil(KEYS/KP) + ceil(KEYS/MP) + $clog2(KP) + 19 cycles, a few
// more or less with shared parities, one more where ceil(KEYS/KP) exceeds 4. Readies: s1 comes from
// registers; s2 too, or with SIMD > PE from a counter; s0 as well, but where a row takes one cycle it
// is combinational on m_axis_tready.
//
// TABLE_FILE holds HEAD_DIM+1 words of TABLE_BITS bits, THRESHOLD_FILE one word T of TABLE_SHIFT+1
// bits, T <= 2**TABLE_SHIFT (any greater T attends to nothing, as that one does).
`default_nettype none

module bvit_binary_attention #(
  parameter int QUERIES = 16,
  parameter int KEYS = 4,
  parameter int HEADS = 2,
  parameter int HEAD_DIM = 32,
  parameter int TABLE_BITS = 15,
  parameter int TABLE_SHIFT = 16,
  parameter int SIMD = 8,  // channels a beat of q, k and v
  parameter int KP = 1,    // keys scored at once
  parameter int MP = 4,    // keys at once in the second product
  parameter int PE = 4,    // output channels at once
  parameter bit ULTRA = 1'b0,  // keys and values of more than 64 words in UltraRAM
  parameter TABLE_FILE = "",
  parameter THRESHOLD_FILE = "",
  localparam int OUT_BITS = $clog2(KEYS + 1) + 1
) (
  input  wire logic                   clk,
  input  wire logic                   rst,
  input  wire logic [       SIMD-1:0] s0_axis_tdata,
  input  wire logic                   s0_axis_tvalid,
  output wire logic                   s0_axis_tready,
  input  wire logic [       SIMD-1:0] s1_axis_tdata,
  input  wire logic                   s1_axis_tvalid,
  output wire logic                   s1_axis_tready,
  input  wire logic [       SIMD-1:0] s2_axis_tdata,
  input  wire logic                   s2_axis_tvalid,
  output wire logic                   s2_axis_tready,
  output wire logic [PE*OUT_BITS-1:0] m_axis_tdata,
  output wire logic                   m_axis_tvalid,
  input  wire logic                   m_axis_tready
);

  if (QUERIES < 1 || KEYS < 1 || HEADS < 1 || HEAD_DIM < 1) begin : gen_bad_shape
    $error("bvit_binary_attention: QUERIES=%0d, KEYS=%0d, HEADS=%0d, HEAD_DIM=%0d must be positive",
           QUERIES, KEYS, HEADS, HEAD_DIM);
  end
  if (TABLE_BITS < 1 || TABLE_BITS > 24) begin : gen_bad_table
    $error("bvit_binary_attention: TABLE_BITS=%0d must lie in 1..24", TABLE_BITS);
  end
  if (TABLE_SHIFT < 1 || TABLE_SHIFT > 24) begin : gen_bad_shift
    $error("bvit_binary_attention: TABLE_SHIFT=%0d must lie in 1..24", TABLE_SHIFT);
  end
  if (SIMD < 1 || HEAD_DIM % SIMD != 0) begin : gen_bad_simd
    $error("bvit_binary_attention: SIMD=%0d does not divide HEAD_DIM=%0d", SIMD, HEAD_DIM);
  end
  if (PE < 1 || HEAD_DIM % PE != 0) begin : gen_bad_pe
    $error("bvit_binary_attention: PE=%0d does not divide HEAD_DIM=%0d", PE, HEAD_DIM);
  end
  if (PE % SIMD != 0 && SIMD % PE != 0) begin : gen_bad_ratio
    $error("bvit_binary_attention: neither of SIMD=%0d and PE=%0d divides the other", SIMD, PE);
  end
  if (KP < 1 || KP > KEYS) begin : gen_bad_kp
    $error("bvit_binary_attention: KP=%0d must lie in 1..KEYS=%0d", KP, KEYS);
  end
  if (MP < 1 || MP > KEYS) begin : gen_bad_mp
    $error("bvit_binary_attention: MP=%0d must lie in 1..KEYS=%0d", MP, KEYS);
  end

  localparam int K_GROUPS = (KEYS + KP - 1) / KP;  // cycles of a row's score phase
  localparam int V_GROUPS = (KEYS + MP - 1) / MP;  // cycles of an output beat
  localparam int CHUNKS = HEAD_DIM / PE;           // output beats of a row
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1;
  localparam int K_GROUP_BITS = (K_GROUPS > 1) ? $clog2(K_GROUPS) : 1;
  localparam int V_GROUP_BITS = (V_GROUPS > 1) ? $clog2(V_GROUPS) : 1;
  localparam int CHUNK_BITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1;

  // Several keys at once share the query's parities; see bvit_attention_score.
  localparam bit SHARED = KP > 1 && HEAD_DIM >= 16;
  localparam int K_WORD = SHARED ? bvit_popcount_pkg::word_bits(HEAD_DIM) : HEAD_DIM;

  // ---------------------------------------------------------------------------------- score phase
  // Each phase moves or stands as a whole; a row of attended bits passes from this one to the next.
  wire logic score_en;
  wire logic k_there, k_frame_done;
  wire logic [K_GROUP_BITS-1:0] k_group;
  wire logic [HEAD_BITS-1:0] k_head;
  wire logic [KP*K_WORD-1:0] k_words;
  wire logic score_issue, score_group_last, score_frame_last;
  wire logic [HEAD_DIM-1:0] query;
  wire logic group_valid, group_last, group_frame_last;
  wire logic [KP-1:0] group_attended;
  wire logic row_valid, row_ready, row_frame_last;
  wire logic [KEYS-1:0] row;
  wire logic signed [OUT_BITS-1:0] row_minus;

  bvit_attention_keys #(
    .KEYS(KEYS),
    .HEADS(HEADS),
    .HEAD_DIM(HEAD_DIM),
    .SIMD(SIMD),
    .KP(KP),
    .ENCODED(SHARED),
    .WORD(K_WORD),
    .ULTRA(ULTRA)
  ) u_keys (
    .clk,
    .rst,
    .s_axis_tdata (s1_axis_tdata),
    .s_axis_tvalid(s1_axis_tvalid),
    .s_axis_tready(s1_axis_tready),
    .there(k_there),
    .re(score_en),
    .group(k_group),
    .head(k_head),
    .free(k_frame_done),
    .words(k_words)
  );

  bvit_attention_queries #(
    .QUERIES(QUERIES),
    .HEADS(HEADS),
    .HEAD_DIM(HEAD_DIM),
    .SIMD(SIMD),
    .K_GROUPS(K_GROUPS)
  ) u_queries (
    .clk,
    .rst,
    .s_axis_tdata (s0_axis_tdata),
    .s_axis_tvalid(s0_axis_tvalid),
    .s_axis_tready(s0_axis_tready),
    .en(score_en),
    .k_there,
    .issue(score_issue),
    .group_last(score_group_last),
    .frame_last(score_frame_last),
    .frame_done(k_frame_done),
    .row(query),
    .group(k_group),
    .head(k_head)
  );

  bvit_attention_choice #(
    .KEYS(KEYS),
    .HEAD_DIM(HEAD_DIM),
    .KP(KP),
    .SHARED(SHARED),
    .WORD(K_WORD),
    .TABLE_BITS(TABLE_BITS),
    .TABLE_SHIFT(TABLE_SHIFT),
    .TABLE_FILE(TABLE_FILE),
    .THRESHOLD_FILE(THRESHOLD_FILE)
  ) u_choice (
    .clk,
    .rst,
    .en(score_en),
    .s_valid(score_issue),
    .s_group_last(score_group_last),
    .s_frame_last(score_frame_last),
    .query,
    .words(k_words),
    .m_valid(group_valid),
    .m_group_last(group_last),
    .m_frame_last(group_frame_last),
    .m_attended(group_attended)
  );

  bvit_attention_row #(
    .KEYS(KEYS),
    .KP(KP),
    .EVERY_CYCLE(K_GROUPS * CHUNKS * V_GROUPS == 1 && HEAD_DIM == SIMD)
  ) u_row (
    .clk,
    .rst,
    .en(score_en),
    .s_valid(group_valid),
    .s_group_last(group_last),
    .s_frame_last(group_frame_last),
    .s_attended(group_attended),
    .m_valid(row_valid),
    .m_ready(row_ready),
    .m_row(row),
    .m_minus(row_minus),
    .m_frame_last(row_frame_last)
  );

  // --------------------------------------------------------------------------------- output phase
  wire logic v_there, v_re, v_frame_done;
  wire logic [V_GROUP_BITS-1:0] v_group;
  wire logic [HEAD_BITS-1:0] v_head;
  wire logic [CHUNK_BITS-1:0] v_chunk;
  wire logic [MP*PE-1:0] v_bits;

  bvit_attention_values #(
    .KEYS(KEYS),
    .HEADS(HEADS),
    .HEAD_DIM(HEAD_DIM),
    .SIMD(SIMD),
    .MP(MP),
    .PE(PE),
    .ULTRA(ULTRA)
  ) u_values (
    .clk,
    .rst,
    .s_axis_tdata (s2_axis_tdata),
    .s_axis_tvalid(s2_axis_tvalid),
    .s_axis_tready(s2_axis_tready),
    .there(v_there),
    .re(v_re),
    .group(v_group),
    .head(v_head),
    .chunk(v_chunk),
    .free(v_frame_done),
    .bits(v_bits)
  );

  bvit_attention_product #(
    .KEYS(KEYS),
    .HEADS(HEADS),
    .HEAD_DIM(HEAD_DIM),
    .MP(MP),
    .PE(PE)
  ) u_product (
    .clk,
    .rst,
    .s_valid(row_valid),
    .s_ready(row_ready),
    .s_row(row),
    .s_minus(row_minus),
    .s_frame_last(row_frame_last),
    .v_there,
    .v_re,
    .v_group,
    .v_head,
    .v_chunk,
    .v_frame_done,
    .v_bits,
    .m_axis_tdata,
    .m_axis_tvalid,
    .m_axis_tready
  );

endmodule

`default_nettype wire
