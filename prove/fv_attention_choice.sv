// bvit_attention_choice: the row rule. For all queries and keys the flags that leave are those of the rule, group by
// group and row by row: key j is attended iff E_j * 2**TABLE_SHIFT > T * sum of the row's E.
`include "fv.svh"
`default_nettype none

module fv_attention_choice #(
  parameter int KEYS = 2,
  parameter int KP = 1,
  parameter int T = 1,     // the threshold: 1, 3, or 7, the largest: no product is larger, and no key is attended
  parameter int ROWS = 6   // that are under way at most
) (
  input wire logic            clk,
  input wire logic            rst,
  input wire logic            en,
  input wire logic            s_valid,
  input wire logic            s_frame_last,
  input wire logic [     1:0] query,
  input wire logic [2*KP-1:0] words
);
  localparam int HEAD_DIM = 2;
  localparam int SHIFT = 2;
  localparam bit NONE = T >= 1 << SHIFT;  // E is part of the sum, so no E exceeds the bound
  localparam int GROUPS = (KEYS + KP - 1) / KP;
  localparam int COUNT = $clog2(GROUPS + 1);
  localparam int PLACE = $clog2(ROWS + 1);
  localparam int SUM = 2 + $clog2(KEYS + 1);
  logic after_reset, m_valid, m_group_last, m_frame_last;
  logic [KP-1:0] m_attended;

  // A row's groups come without a gap, and its last one says whether the frame ends.
  logic [COUNT-1:0] group_q, out_q;
  logic s_group_last;
  assign s_group_last = group_q == COUNT'(GROUPS - 1);
  `FV_ASSUME(no_gap, group_q == '0 || s_valid)

  bvit_attention_choice #(
    .KEYS(KEYS), .HEAD_DIM(HEAD_DIM), .KP(KP), .WORD(HEAD_DIM), .TABLE_BITS(2), .TABLE_SHIFT(SHIFT),
    .TABLE_FILE("table.mem"), .THRESHOLD_FILE(T == 1 ? "threshold1.mem" : T == 3 ? "threshold3.mem" : "threshold7.mem")
  ) dut (.*);

  // The specification takes a group with its words, an enabled cycle after the flags.
  logic valid_q, last_q, final_q;
  logic [1:0] query_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      valid_q <= 1'b0;
      group_q <= '0;
    end else if (en) begin
      valid_q <= s_valid;
      if (s_valid) group_q <= s_group_last ? '0 : group_q + 1'b1;
    end
    if (en) {last_q, final_q, query_q} <= {s_group_last, s_frame_last, query};
  end

  function automatic logic [1:0] entry(logic [1:0] key, logic [1:0] with_query);
    case (2'(key[0] == with_query[0]) + 2'(key[1] == with_query[1]))
      2'd0: return 2'd0;
      2'd1: return 2'd1;
      default: return 2'd3;
    endcase
  endfunction

  // Rows: the one that comes in at place `rows_q`, complete ones from 0 on, the oldest first.
  logic [1:0] entries_q[ROWS+1][GROUPS*KP];
  logic [SUM-1:0] sums_q[ROWS+1];
  logic ends_q[ROWS+1];
  logic [PLACE-1:0] rows_q;
  logic [COUNT-1:0] spec_q;  // group of the row that comes in
  logic complete, gone;
  logic [1:0] now[KP];
  logic [SUM-1:0] sum_now;
  assign complete = en && valid_q && last_q;
  assign gone = en && m_valid && m_group_last;
  always_comb begin
    sum_now = (spec_q == '0) ? '0 : sums_q[rows_q];
    for (int lane = 0; lane < KP; lane++) begin
      now[lane] = (int'(spec_q) * KP + lane < KEYS) ? entry(words[2*lane+:2], query_q) : 2'd0;
      sum_now += SUM'(now[lane]);
    end
  end
  always_ff @(posedge clk) begin
    if (rst) begin
      rows_q <= '0;
      spec_q <= '0;
      out_q <= '0;
    end else begin
      rows_q <= rows_q + PLACE'(complete) - PLACE'(gone);
      if (en && valid_q) spec_q <= last_q ? '0 : spec_q + 1'b1;
      if (en && m_valid) out_q <= m_group_last ? '0 : out_q + 1'b1;
    end
    for (int row = 0; row <= ROWS; row++) begin
      if (en && valid_q && PLACE'(row) == rows_q - PLACE'(gone)) begin
        sums_q[row] <= sum_now;
        ends_q[row] <= final_q;
        for (int key = 0; key < GROUPS * KP; key++) begin
          if (key / KP == int'(spec_q)) entries_q[row][key] <= now[key%KP];
          else entries_q[row][key] <= entries_q[rows_q][key];
        end
      end else if (gone && row < ROWS) begin
        sums_q[row] <= sums_q[row+1];
        ends_q[row] <= ends_q[row+1];
        for (int key = 0; key < GROUPS * KP; key++) entries_q[row][key] <= entries_q[row+1][key];
      end
    end
  end

  fv_reset u_reset (.*);
  logic [SUM+3:0] bound;
  assign bound = (SUM + 4)'(sums_q[0]) * (SUM + 4)'(T);
  for (genvar lane = 0; lane < KP; lane++) begin : gen_lane
    logic [1:0] due;
    assign due = entries_q[0][int'(out_q)*KP+lane];
    `FV_ASSERT(attended, rst || !m_valid || m_attended[lane] == ((SUM + 4)'(due) << SHIFT > bound))
  end
  `FV_ASSERT(a_row_is_there, rst || !m_valid || rows_q != '0)
  `FV_ASSERT(last_group, rst || !m_valid || m_group_last == (out_q == COUNT'(GROUPS - 1)))
  `FV_ASSERT(last_row, rst || !m_valid || m_frame_last == ends_q[0])
  `FV_ASSERT(none_lost, rst || rows_q <= PLACE'(ROWS))
  `FV_COVER_POINT(some_attended, !rst && m_valid && (NONE || (|m_attended) && !(&m_attended[KP-1:0]) == (KP > 1)))
  `FV_COVER_POINT(none_attended, !rst && m_valid && !(|m_attended) && sums_q[0] != '0)
  `FV_COVER_POINT(rows_meet, !rst && complete && gone)
endmodule

`default_nettype wire
