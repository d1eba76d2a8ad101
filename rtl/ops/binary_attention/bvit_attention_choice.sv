// Which keys a row attends to: E_j = table[score_j], key j is attended iff
// E_j * 2**TABLE_SHIFT > T * sum(E).
//
// A row's groups of KP keys enter one after another without a gap, `s_group_last` with the last
// one, and leave so. `query` and the flags enter an enabled cycle before the keys' words, which are
// being read then. In the lanes that a row's last group has no keys for, E is 0: they add nothing and
// are never attended. `s_frame_last` belongs to the row and comes out beside each of its groups.
// One group a cycle, no bubbles from row to row; latency from a row's last group to its first one
// out: that of bvit_attention_score and $clog2(KP) + 5 enabled cycles. The whole stands without
// `en`; `m_attended` is combinational on registers.
//
// TABLE_FILE holds HEAD_DIM+1 words of TABLE_BITS bits, THRESHOLD_FILE one word T of TABLE_SHIFT+1
// bits, twice: some tools refuse a memory of one word.
`default_nettype none

module bvit_attention_choice #(
  parameter int KEYS = 4,
  parameter int HEAD_DIM = 32,
  parameter int KP = 1,
  parameter bit SHARED = 1'b0,  // words of bvit_attention_encode; see bvit_attention_score
  parameter int WORD = 32,
  parameter int TABLE_BITS = 15,
  parameter int TABLE_SHIFT = 16,
  parameter TABLE_FILE = "",
  parameter THRESHOLD_FILE = ""
) (
  input  wire logic                clk,
  input  wire logic                rst,
  input  wire logic                en,
  input  wire logic                s_valid,
  input  wire logic                s_group_last,
  input  wire logic                s_frame_last,
  input  wire logic [HEAD_DIM-1:0] query,
  input  wire logic [ KP*WORD-1:0] words,
  output wire logic                m_valid,
  output wire logic                m_group_last,
  output wire logic                m_frame_last,
  output wire logic [      KP-1:0] m_attended
);

  // Stages of the pipeline: 0 scores, 1 E, SUM_STAGE sum over the lanes; then the row's sum, twice
  // the product, and the bound that E is compared with.
  localparam int GROUPS = (KEYS + KP - 1) / KP;
  localparam int LAST_KEYS = KEYS - (GROUPS - 1) * KP;  // of a row's last group
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1;
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
    .WORD(WORD),
    .SHARED(SHARED),
    .TAGS(3)
  ) u_score (
    .clk,
    .rst,
    .en,
    .s_tags({s_valid, s_group_last, s_frame_last}),
    .query,
    .words,
    .m_tags({valid_q[0], last_q[0], final_q[0]}),
    .scores
  );
  always_ff @(posedge clk) begin
    if (en) begin
      last_q[FLAG_STAGES:1] <= last_q[FLAG_STAGES-1:0];
      final_q[FLAG_STAGES:1] <= final_q[FLAG_STAGES-1:0];
    end
    if (rst) valid_q[FLAG_STAGES:1] <= '0;
    else if (en) valid_q[FLAG_STAGES:1] <= valid_q[FLAG_STAGES-1:0];
  end

  // One table for all lanes: a bvit_rom a lane takes Yosys more LUTs.
  // Yosys (by its slang front end) calls lookup tables "logic", Vivado calls them "distributed".
`ifdef __slang__
  (* rom_style = "logic" *) logic [TABLE_BITS-1:0] exp_table[HEAD_DIM+1];
`else
  (* rom_style = "distributed" *) logic [TABLE_BITS-1:0] exp_table[HEAD_DIM+1];
`endif
  logic [T_BITS-1:0] threshold[2];
  initial begin
    if (TABLE_FILE != "") $readmemh(TABLE_FILE, exp_table);
    if (THRESHOLD_FILE != "") $readmemh(THRESHOLD_FILE, threshold);
  end

  wire logic [KP*TABLE_BITS-1:0] e;      // in stage 1
  wire logic [KP*TABLE_BITS-1:0] e_old;  // the same, when its row's bound is there
  logic [TABLE_BITS-1:0] bound_q;        // attended iff E exceeds it

  for (genvar lane = 0; lane < KP; lane++) begin : gen_lane
    logic [TABLE_BITS-1:0] e_q;
    if (lane < LAST_KEYS) begin : gen_always
      always_ff @(posedge clk) if (en) e_q <= exp_table[scores[lane*SCORE_BITS+:SCORE_BITS]];
    end else begin : gen_but_last
      // A reset rather than an AND gate: it costs no LUT.
      always_ff @(posedge clk) begin
        if (en) begin
          if (last_q[0]) e_q <= '0;
          else e_q <= exp_table[scores[lane*SCORE_BITS+:SCORE_BITS]];
        end
      end
    end
    assign e[lane*TABLE_BITS+:TABLE_BITS] = e_q;
    assign m_attended[lane] = e_old[lane*TABLE_BITS+:TABLE_BITS] > bound_q;
  end

  wire logic [LANE_SUM_BITS-1:0] lane_sum;
  bvit_adder_tree #(
    .N(KP),
    .BITS(TABLE_BITS),
    .SIGNED(1'b0)
  ) u_sum (
    .clk,
    .en,
    .x(e),
    .sum(lane_sum)
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
  wire logic bound_set = valid_q[FLAG_STAGES] && last_q[FLAG_STAGES] && en;
  always_ff @(posedge clk) begin
    if (en) begin
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
    else if (en && valid_q[SUM_STAGE]) row_first_q <= last_q[SUM_STAGE];
  end

  // A row's groups come one after another without a gap, so E waits a fixed number of cycles: in shift
  // registers (one LUT a bit up to 33 cycles), in LUT RAM, or in block RAM.
  localparam int E_STEPS = GROUPS + FLAG_STAGES - 1;
  bvit_delay #(
    .WIDTH(KP * TABLE_BITS),
    .STEPS(E_STEPS),
    .SHIFT_STEPS(33),
    .STYLE(int'(E_STEPS > 64))
  ) u_e_delay (
    .clk,
    .rst,
    .en,
    .d(e),
    .q(e_old)
  );

  logic compare_q;  // e_old and bound_q belong together
  logic [GROUP_BITS-1:0] compare_group_q;
  logic compare_final_q;
  wire logic compare_last = compare_group_q == GROUP_BITS'(GROUPS - 1);
  always_ff @(posedge clk) begin
    if (bound_set) compare_final_q <= final_q[FLAG_STAGES];
    if (rst) begin
      compare_q <= 1'b0;
      compare_group_q <= '0;
    end else if (en) begin
      if (bound_set) compare_q <= 1'b1;
      else if (compare_last) compare_q <= 1'b0;
      if (compare_q) compare_group_q <= compare_last ? '0 : compare_group_q + 1'b1;
    end
  end
  assign m_valid = compare_q;
  assign m_group_last = compare_last;
  assign m_frame_last = compare_final_q;

endmodule

`default_nettype wire
