// Binary attention, all heads: for each query row and head, E_j = table[popcount(xnor(q, k_j))],
// key j is attended iff E_j * 2**TABLE_SHIFT > T * sum(E), and channel c of the output is the
// number of attended keys with v_j[c] = 1 less the number of those with v_j[c] = 0.
//
// Streams: s0_axis q, s1_axis k, s2_axis v, SIMD channels a beat, tokens in raster order, all heads
// of a token one after another (head h owns channels h*HEAD_DIM ..); m_axis PE channels a beat,
// each signed, $clog2(KEYS+1)+1 bits wide.
//
// Throughput: a row (one query, one head) takes max(HEAD_DIM/SIMD, KEYS/KP, HEAD_DIM/PE * KEYS/MP)
// cycles, no bubbles from row to row, nor from frame to frame when the next frame's k and v are
// there: they are stored while this frame's queries are worked on (two buffers each). A v beat
// takes SIMD/PE cycles where that is more than one. A frame's first row waits for all of the
// frame's k, its first output for all of its v; so q needs a buffer before it where q, k and v come
// from one source. Latency from a row's last q beat to its first output beat, k and v being there:
// KEYS/KP + KEYS/MP + $clog2(KP) + 19 cycles, with KP > 1 a few more or less. Readies: s1 comes
// from registers; s2 too, or with SIMD > PE from a counter; s0 is combinational on m_axis_tready.
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
    parameter string TABLE_FILE = "",
    parameter string THRESHOLD_FILE = "",
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
  if (KP < 1 || KEYS % KP != 0) begin : gen_bad_kp
    $error("bvit_binary_attention: KP=%0d does not divide KEYS=%0d", KP, KEYS);
  end
  if (MP < 1 || KEYS % MP != 0) begin : gen_bad_mp
    $error("bvit_binary_attention: MP=%0d does not divide KEYS=%0d", MP, KEYS);
  end

  localparam int K_GROUPS = KEYS / KP;    // cycles of a row's score phase
  localparam int V_GROUPS = KEYS / MP;    // cycles of an output beat
  localparam int CHUNKS = HEAD_DIM / PE;  // output beats of a row

  // Widths of address fields, possibly 0, and of the counters that hold them.
  localparam int HEAD_FIELD = $clog2(HEADS);
  localparam int K_FIELD = $clog2(K_GROUPS);
  localparam int V_FIELD = $clog2(V_GROUPS);
  localparam int CHUNK_FIELD = $clog2(CHUNKS);
  localparam int HEAD_BITS = (HEADS > 1) ? HEAD_FIELD : 1;
  localparam int K_GROUP_BITS = (K_GROUPS > 1) ? K_FIELD : 1;
  localparam int V_GROUP_BITS = (V_GROUPS > 1) ? V_FIELD : 1;
  localparam int CHUNK_BITS = (CHUNKS > 1) ? CHUNK_FIELD : 1;
  localparam int QUERY_BITS = (QUERIES > 1) ? $clog2(QUERIES) : 1;

  // Several keys at once share the query's parities; see bvit_attention_score.
  function automatic int upper_parities();
    int n;
    int total;
    n = HEAD_DIM / 3 + HEAD_DIM % 3;
    total = 0;
    while (n > 2) begin
      total = total + n / 3;
      n = n / 3 + n % 3;
    end
    return total;
  endfunction

  localparam bit SHARED = KP > 1 && HEAD_DIM >= 16;
  localparam int UPPER = (upper_parities() < HEAD_DIM / 8) ? upper_parities() : HEAD_DIM / 8;
  localparam int K_WORD = SHARED ? HEAD_DIM + UPPER : HEAD_DIM;

  // Address: {slot, group, head(, chunk)}. Where a count is no power of two, some words stay
  // unused.
  localparam int K_ADDR = 1 + K_FIELD + HEAD_FIELD;
  localparam int V_ADDR = 1 + V_FIELD + HEAD_FIELD + CHUNK_FIELD;

  // The three phases: the score pipeline and the output pipeline each move or stand as a whole.
  wire logic score_ce;
  wire logic out_ce;
  wire logic take_row;  // a row's attended bits pass from the score phase to the output phase

  // ------------------------------------------------------------------------------------------ k
  wire logic k_room, k_there, k_last, k_wslot, k_rslot;
  wire logic k_take = s1_axis_tvalid && k_room;
  wire logic [HEAD_DIM-1:0] k_bits;
  wire logic [K_WORD-1:0] k_word;
  wire logic [KP-1:0] k_lane;
  wire logic [K_GROUP_BITS-1:0] k_wgroup;
  wire logic [HEAD_BITS-1:0] k_whead;
  wire logic [KP*K_WORD-1:0] k_data;
  logic [K_GROUP_BITS-1:0] k_rgroup_q;
  logic [HEAD_BITS-1:0] k_rhead_q;
  wire logic score_frame_done;

  assign s1_axis_tready = k_room;

  bvit_attention_gather #(
      .WIDTH(HEAD_DIM),
      .LANES(SIMD)
  ) u_k_gather (
      .clk,
      .rst,
      .take(k_take),
      .data(s1_axis_tdata),
      .word(k_bits),
      .last(k_last)
  );

  if (SHARED) begin : gen_k_encode
    bvit_attention_encode #(
        .N(HEAD_DIM),
        .WORD(K_WORD)
    ) u_k_encode (
        .key (k_bits),
        .word(k_word)
    );
  end else begin : gen_k_plain
    assign k_word = k_bits;
  end

  bvit_attention_slots #(
      .HEADS (HEADS),
      .LANES (KP),
      .GROUPS(K_GROUPS)
  ) u_k_slots (
      .clk,
      .rst,
      .step (k_take && k_last),
      .free (score_frame_done),
      .room (k_room),
      .there(k_there),
      .lane (k_lane),
      .group(k_wgroup),
      .head (k_whead),
      .wslot(k_wslot),
      .rslot(k_rslot)
  );

  bvit_attention_ram #(
      .DEPTH(1 << K_ADDR),
      .LANES(KP),
      .LANE_BITS(K_WORD)
  ) u_k_ram (
      .clk,
      .we({KP{k_take && k_last}} & k_lane),
      .waddr(
        K_ADDR'(k_wslot) << (K_FIELD + HEAD_FIELD) | K_ADDR'(k_wgroup) << HEAD_FIELD
            | K_ADDR'(k_whead)
      ),
      .wdata(k_word),
      .re(score_ce),
      .raddr(
        K_ADDR'(k_rslot) << (K_FIELD + HEAD_FIELD) | K_ADDR'(k_rgroup_q) << HEAD_FIELD
            | K_ADDR'(k_rhead_q)
      ),
      .rdata(k_data)
  );

  // ------------------------------------------------------------------------------------------ v
  wire logic v_room, v_there, v_write, v_wslot, v_rslot;
  wire logic [PE-1:0] v_word;
  wire logic [MP-1:0] v_lane;
  wire logic [V_GROUP_BITS-1:0] v_wgroup;
  wire logic [HEAD_BITS-1:0] v_whead;
  wire logic [MP*PE-1:0] v_data;
  wire logic out_frame_done;
  logic [CHUNK_BITS-1:0] v_wchunk_q;
  logic [V_GROUP_BITS-1:0] v_rgroup_q;
  logic [HEAD_BITS-1:0] v_rhead_q;
  logic [CHUNK_BITS-1:0] v_rchunk_q;
  wire logic v_wchunk_last = v_wchunk_q == CHUNK_BITS'(CHUNKS - 1);

  if (SIMD <= PE) begin : gen_v_gather
    wire logic v_take = s2_axis_tvalid && v_room;
    wire logic v_last;
    assign s2_axis_tready = v_room;
    assign v_write = v_take && v_last;
    bvit_attention_gather #(
        .WIDTH(PE),
        .LANES(SIMD)
    ) u_v_gather (
        .clk,
        .rst,
        .take(v_take),
        .data(s2_axis_tdata),
        .word(v_word),
        .last(v_last)
    );
  end else begin : gen_v_split
    // The beat waits outside while its pieces are written one after another.
    localparam int PIECES = SIMD / PE;
    localparam int PIECE_BITS = $clog2(PIECES);
    logic [PIECE_BITS-1:0] piece_q;
    assign v_write = s2_axis_tvalid && v_room;
    assign v_word = s2_axis_tdata[piece_q*PE+:PE];
    assign s2_axis_tready = v_room && piece_q == PIECE_BITS'(PIECES - 1);
    always_ff @(posedge clk) begin
      if (rst) piece_q <= '0;
      else if (v_write) piece_q <= s2_axis_tready ? '0 : piece_q + 1'b1;
    end
  end

  always_ff @(posedge clk) begin
    if (rst) v_wchunk_q <= '0;
    else if (v_write) v_wchunk_q <= v_wchunk_last ? '0 : v_wchunk_q + 1'b1;
  end

  bvit_attention_slots #(
      .HEADS (HEADS),
      .LANES (MP),
      .GROUPS(V_GROUPS)
  ) u_v_slots (
      .clk,
      .rst,
      .step (v_write && v_wchunk_last),
      .free (out_frame_done),
      .room (v_room),
      .there(v_there),
      .lane (v_lane),
      .group(v_wgroup),
      .head (v_whead),
      .wslot(v_wslot),
      .rslot(v_rslot)
  );

  bvit_attention_ram #(
      .DEPTH(1 << V_ADDR),
      .LANES(MP),
      .LANE_BITS(PE)
  ) u_v_ram (
      .clk,
      .we({MP{v_write}} & v_lane),
      .waddr(
        V_ADDR'(v_wslot) << (V_FIELD + HEAD_FIELD + CHUNK_FIELD)
            | V_ADDR'(v_wgroup) << (HEAD_FIELD + CHUNK_FIELD)
            | V_ADDR'(v_whead) << CHUNK_FIELD | V_ADDR'(v_wchunk_q)
      ),
      .wdata(v_word),
      .re(out_ce),
      .raddr(
        V_ADDR'(v_rslot) << (V_FIELD + HEAD_FIELD + CHUNK_FIELD)
            | V_ADDR'(v_rgroup_q) << (HEAD_FIELD + CHUNK_FIELD)
            | V_ADDR'(v_rhead_q) << CHUNK_FIELD | V_ADDR'(v_rchunk_q)
      ),
      .rdata(v_data)
  );

  // ------------------------------------------------------------------------------------------ q
  // The row being scored stays in q_row_q; the next one gathers, its last beat waits for the
  // change.
  logic [HEAD_DIM-1:0] q_row_q;
  logic q_valid_q;
  logic [QUERY_BITS-1:0] query_q;
  wire logic [HEAD_DIM-1:0] q_word;
  wire logic q_last;
  wire logic score_issue = q_valid_q && k_there && score_ce;
  wire logic score_group_last = k_rgroup_q == K_GROUP_BITS'(K_GROUPS - 1);
  wire logic score_row_done = score_issue && score_group_last;
  wire logic score_head_last = k_rhead_q == HEAD_BITS'(HEADS - 1);
  wire logic score_frame_last = score_head_last && query_q == QUERY_BITS'(QUERIES - 1);
  wire logic q_take = s0_axis_tvalid && s0_axis_tready;

  assign s0_axis_tready = !q_last || !q_valid_q || score_row_done;
  assign score_frame_done = score_row_done && score_frame_last;

  bvit_attention_gather #(
      .WIDTH(HEAD_DIM),
      .LANES(SIMD)
  ) u_q_gather (
      .clk,
      .rst,
      .take(q_take),
      .data(s0_axis_tdata),
      .word(q_word),
      .last(q_last)
  );

  always_ff @(posedge clk) begin
    if (q_take && q_last) q_row_q <= q_word;
    if (rst) begin
      q_valid_q <= 1'b0;
      k_rgroup_q <= '0;
      k_rhead_q <= '0;
      query_q <= '0;
    end else begin
      if (q_take && q_last) q_valid_q <= 1'b1;
      else if (score_row_done) q_valid_q <= 1'b0;
      if (score_issue) k_rgroup_q <= score_group_last ? '0 : k_rgroup_q + 1'b1;
      if (score_row_done) k_rhead_q <= score_head_last ? '0 : k_rhead_q + 1'b1;
      if (score_row_done && score_head_last) query_q <= score_frame_last ? '0 : query_q + 1'b1;
    end
  end

  // --------------------------------------------------------------------------------- score phase
  // Stages of the pipeline: 0 scores, 1 E, SUM_STAGE sum over the lanes; then the row's sum, twice
  // the product, and the bound that E is compared with.
  localparam int SUM_STAGE = 1 + $clog2(KP);
  localparam int FLAG_STAGES = SUM_STAGE + 3;
  localparam int SCORE_BITS = $clog2(HEAD_DIM + 1);
  localparam int ROW_SUM_BITS = TABLE_BITS + $clog2(KEYS);
  localparam int LANE_SUM_BITS = TABLE_BITS + $clog2(KP);
  localparam int T_BITS = TABLE_SHIFT + 1;
  localparam int PRODUCT_BITS = ROW_SUM_BITS + T_BITS;

  // Flags of the stages: a group is there, it is its row's last, its row is its frame's last.
  logic [FLAG_STAGES:0] valid_q, last_q, final_q;
  wire logic [KP*SCORE_BITS-1:0] scores;
  bvit_attention_score #(
      .N(HEAD_DIM),
      .LANES(KP),
      .WORD(K_WORD),
      .SHARED(SHARED),
      .TAGS(3)
  ) u_score (
      .clk,
      .rst,
      .ce(score_ce),
      .s_tags({score_issue, score_group_last, score_frame_last}),
      .query(q_row_q),
      .words(k_data),
      .m_tags({valid_q[0], last_q[0], final_q[0]}),
      .scores
  );
  always_ff @(posedge clk) begin
    if (score_ce) begin
      last_q[FLAG_STAGES:1] <= last_q[FLAG_STAGES-1:0];
      final_q[FLAG_STAGES:1] <= final_q[FLAG_STAGES-1:0];
    end
    if (rst) valid_q[FLAG_STAGES:1] <= '0;
    else if (score_ce) valid_q[FLAG_STAGES:1] <= valid_q[FLAG_STAGES-1:0];
  end

  (* rom_style = "logic" *) logic [TABLE_BITS-1:0] exp_table[HEAD_DIM+1];
  logic [T_BITS-1:0] threshold[1];
  initial begin
    if (TABLE_FILE != "") $readmemh(TABLE_FILE, exp_table);
    if (THRESHOLD_FILE != "") $readmemh(THRESHOLD_FILE, threshold);
  end

  wire logic [KP*TABLE_BITS-1:0] e;      // in stage 1
  wire logic [KP*TABLE_BITS-1:0] e_old;  // the same, when its row's threshold is there
  wire logic [KP-1:0] attended;
  logic [TABLE_BITS-1:0] bound_q;        // attended iff E exceeds it

  for (genvar lane = 0; lane < KP; lane++) begin : gen_lane
    logic [TABLE_BITS-1:0] e_q;
    always_ff @(posedge clk) if (score_ce) e_q <= exp_table[scores[lane*SCORE_BITS+:SCORE_BITS]];
    assign e[lane*TABLE_BITS+:TABLE_BITS] = e_q;
    assign attended[lane] = e_old[lane*TABLE_BITS+:TABLE_BITS] > bound_q;
  end

  wire logic [LANE_SUM_BITS-1:0] lane_sum;
  bvit_attention_sum #(
      .N(KP),
      .BITS(TABLE_BITS)
  ) u_sum (
      .clk,
      .ce(score_ce),
      .words(e),
      .total(lane_sum)
  );

  logic [ROW_SUM_BITS-1:0] row_sum_q;
  logic row_first_q;  // the next group begins a row
  (* use_dsp = "yes" *) logic [PRODUCT_BITS-1:0] product_q;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [PRODUCT_BITS-1:0] product2_q;  // its fraction does not matter
  /* verilator lint_on UNUSEDSIGNAL */
  // E * 2**TABLE_SHIFT > T * sum is E > floor(T * sum / 2**TABLE_SHIFT): the bits that are shifted
  // out do not matter. A bound beyond the table's range becomes its greatest value: attends to
  // nothing.
  wire logic [PRODUCT_BITS-TABLE_SHIFT-1:0] bound = product2_q[PRODUCT_BITS-1:TABLE_SHIFT];
  wire logic bound_set = valid_q[FLAG_STAGES] && last_q[FLAG_STAGES] && score_ce;
  always_ff @(posedge clk) begin
    if (score_ce) begin
      if (valid_q[SUM_STAGE]) begin
        row_sum_q <= (row_first_q ? '0 : row_sum_q) + ROW_SUM_BITS'(lane_sum);
      end
      product_q <= row_sum_q * threshold[0];
      product2_q <= product_q;
    end
    if (bound_set) begin
      bound_q <= |(bound >> TABLE_BITS) ? '1 : bound[TABLE_BITS-1:0];
    end
    if (rst) row_first_q <= 1'b1;
    else if (score_ce && valid_q[SUM_STAGE]) row_first_q <= last_q[SUM_STAGE];
  end

  // A row's groups come one after another without a gap, so E waits a fixed number of cycles.
  bvit_attention_delay #(
      .CYCLES(K_GROUPS + FLAG_STAGES - 1),
      .WIDTH (KP * TABLE_BITS)
  ) u_e_delay (
      .clk,
      .rst,
      .ce(score_ce),
      .d(e),
      .q(e_old)
  );

  logic compare_q;  // e_old and bound_q belong together
  logic [K_GROUP_BITS-1:0] compare_group_q;
  logic compare_final_q;
  wire logic compare_last = compare_group_q == K_GROUP_BITS'(K_GROUPS - 1);
  always_ff @(posedge clk) begin
    if (bound_set) compare_final_q <= final_q[FLAG_STAGES];
    if (rst) begin
      compare_q <= 1'b0;
      compare_group_q <= '0;
    end else if (score_ce) begin
      if (bound_set) compare_q <= 1'b1;
      else if (compare_last) compare_q <= 1'b0;
      if (compare_q) compare_group_q <= compare_last ? '0 : compare_group_q + 1'b1;
    end
  end

  // Count the attended keys beside their bits: two more stages after the comparison's own.
  localparam int GROUP_COUNT_BITS = $clog2(KP + 1);
  logic [2:0] got_valid_q, got_last_q, got_final_q;
  logic [KP-1:0] got0_q, got1_q, got2_q;
  wire logic [GROUP_COUNT_BITS-1:0] got_count;
  always_ff @(posedge clk) begin
    if (score_ce) begin
      got0_q <= attended;
      got1_q <= got0_q;
      got2_q <= got1_q;
      got_last_q <= {got_last_q[1:0], compare_last};
      got_final_q <= {got_final_q[1:0], compare_final_q};
    end
    if (rst) got_valid_q <= '0;
    else if (score_ce) got_valid_q <= {got_valid_q[1:0], compare_q};
  end

  bvit_attention_popcount #(
      .N(KP)
  ) u_group_count (
      .clk,
      .ce(score_ce),
      .bits(got0_q),
      .count(got_count)
  );

  // The row's bits shift in group by group; a whole row waits here until the output phase takes it.
  logic [KEYS-1:0] next_row_q;
  logic signed [OUT_BITS-1:0] next_minus_q;  // minus the number of attended keys
  logic next_full_q, next_first_q, next_final_q;
  wire logic row_in = got_valid_q[2] && score_ce;
  /* verilator lint_off UNUSEDSIGNAL */
  wire logic [KEYS+KP-1:0] shifted_row = {got2_q, next_row_q};  // the lowest group falls out
  /* verilator lint_on UNUSEDSIGNAL */

  assign score_ce = !got_valid_q[2] || !next_full_q || take_row;

  always_ff @(posedge clk) begin
    if (row_in) begin
      next_row_q <= shifted_row[KEYS+KP-1:KP];
      next_minus_q <= (next_first_q ? '0 : next_minus_q) - OUT_BITS'(got_count);
      next_final_q <= got_final_q[2];
    end
    if (rst) begin
      next_full_q <= 1'b0;
      next_first_q <= 1'b1;
    end else begin
      if (row_in) next_first_q <= got_last_q[2];
      if (row_in && got_last_q[2]) next_full_q <= 1'b1;
      else if (take_row) next_full_q <= 1'b0;
    end
  end

  // -------------------------------------------------------------------------------- output phase
  logic [KEYS-1:0] row_q;
  logic signed [OUT_BITS-1:0] minus_q;
  logic row_valid_q, row_final_q;
  wire logic out_issue = row_valid_q && v_there && out_ce;
  wire logic out_group_first = v_rgroup_q == '0;
  wire logic out_group_last = v_rgroup_q == V_GROUP_BITS'(V_GROUPS - 1);
  wire logic out_chunk_last = v_rchunk_q == CHUNK_BITS'(CHUNKS - 1);
  wire logic out_row_done = out_issue && out_group_last && out_chunk_last;

  assign take_row = next_full_q && (!row_valid_q || out_row_done);
  assign out_frame_done = out_row_done && row_final_q;

  always_ff @(posedge clk) begin
    if (take_row) begin
      row_q <= next_row_q;
      minus_q <= next_minus_q;
      row_final_q <= next_final_q;
    end
    if (rst) begin
      row_valid_q <= 1'b0;
      v_rgroup_q <= '0;
      v_rchunk_q <= '0;
      v_rhead_q <= '0;
    end else begin
      if (take_row) row_valid_q <= 1'b1;
      else if (out_row_done) row_valid_q <= 1'b0;
      if (out_issue) v_rgroup_q <= out_group_last ? '0 : v_rgroup_q + 1'b1;
      if (out_issue && out_group_last) v_rchunk_q <= out_chunk_last ? '0 : v_rchunk_q + 1'b1;
      if (out_row_done) v_rhead_q <= (v_rhead_q == HEAD_BITS'(HEADS - 1)) ? '0 : v_rhead_q + 1'b1;
    end
  end

  // Stages: 1 v word read and the keys' bits beside it, 2 values of attended keys, 4 counts, then
  // the accumulators, which offer the beat themselves: the pipeline stands while it waits.
  logic [MP-1:0] keys_q;
  logic [4:1] out_valid_q, out_first_q, out_last_q;
  logic signed [4:1][OUT_BITS-1:0] out_minus_q;
  logic m_valid_q;
  always_ff @(posedge clk) begin
    if (out_ce) begin
      keys_q <= row_q[v_rgroup_q*MP+:MP];
      out_first_q <= {out_first_q[3:1], out_group_first};
      out_last_q <= {out_last_q[3:1], out_group_last};
      out_minus_q <= {out_minus_q[3:1], minus_q};
    end
    if (rst) begin
      out_valid_q <= '0;
      m_valid_q <= 1'b0;
    end else if (out_ce) begin
      out_valid_q <= {out_valid_q[3:1], out_issue};
      m_valid_q <= out_valid_q[4] && out_last_q[4];
    end
  end

  assign out_ce = !m_valid_q || m_axis_tready;
  assign m_axis_tvalid = m_valid_q;

  // acc = 2 * (attended keys with v = 1) - (attended keys): the lowest bit is the row's, the others
  // count up from half of the negative number.
  localparam int COUNT_BITS = $clog2(MP + 1);
  logic m_odd_q;
  always_ff @(posedge clk) if (out_ce) m_odd_q <= out_minus_q[4][0];

  for (genvar i = 0; i < PE; i++) begin : gen_out
    logic [MP-1:0] v_q;
    wire logic [COUNT_BITS-1:0] count;
    logic [OUT_BITS-2:0] half_q;
    // A reset rather than an AND gate: it costs no LUT.
    for (genvar j = 0; j < MP; j++) begin : gen_key
      always_ff @(posedge clk) begin
        if (out_ce) begin
          if (!keys_q[j]) v_q[j] <= 1'b0;
          else v_q[j] <= v_data[j*PE+i];
        end
      end
    end
    bvit_attention_popcount #(
        .N(MP)
    ) u_count (
        .clk,
        .ce(out_ce),
        .bits(v_q),
        .count
    );
    always_ff @(posedge clk) begin
      if (out_ce && out_valid_q[4]) begin
        half_q <= (out_first_q[4] ? out_minus_q[4][OUT_BITS-1:1] : half_q) + (OUT_BITS - 1)'(count);
      end
    end
    assign m_axis_tdata[i*OUT_BITS+:OUT_BITS] = {half_q, m_odd_q};
  end

endmodule

`default_nettype wire
