// The border of bvit_binary_attention, which has three inputs: beats that go out stay, none goes out before its row's
// query and all of its frame's keys and values, none is lost or doubled, and each input's ready comes back while the
// others offer beats. Contents of memories are free, for no handshake may depend on data.
//
// Beats are weighed as in fv_operator: of queries by the row, of keys and values by the frame.
//
// For sequences of any length by induction: what is owed is counted in the registers of the module, dut.
`include "fv.svh"
`default_nettype none

module fv_attention #(
  parameter int QUERIES = 1,
  parameter int KEYS = 2,
  parameter int HEADS = 1,
  parameter int HEAD_DIM = 2,
  parameter int SIMD = 1,
  parameter int KP = 1,
  parameter int MP = 1,
  parameter int PE = 1,
  parameter int HELD_Q = 1,  // owed at most for the beats of queries, of keys and of values that are held
  parameter int HELD_K = 1,
  parameter int HELD_V = 1,
  parameter bit TIGHT = 1'b1,  // so much is indeed owed at some time: with long frames only after very many cycles
  parameter int WAIT = 1     // refusals of an input in a row while the other inputs are offered and the output is ready
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic [SIMD-1:0] s0_axis_tdata,
  input wire logic            s0_axis_tvalid,
  input wire logic [SIMD-1:0] s1_axis_tdata,
  input wire logic            s1_axis_tvalid,
  input wire logic [SIMD-1:0] s2_axis_tdata,
  input wire logic            s2_axis_tvalid,
  input wire logic            m_axis_tready
);
  localparam int ROWS = QUERIES * HEADS;
  localparam int ROW_IN = HEAD_DIM / SIMD;
  localparam int ROW_OUT = HEAD_DIM / PE;
  localparam int FRAME_IN = KEYS * HEADS * ROW_IN;
  localparam int FRAME_OUT = ROWS * ROW_OUT;
  localparam int WORD = PE * ($clog2(KEYS + 1) + 1);
  logic after_reset, m_axis_tvalid, give;
  logic [2:0] valid, ready;
  logic [WORD-1:0] m_axis_tdata;
  logic [2:0][15:0] owed, out;
  assign valid = {s2_axis_tvalid, s1_axis_tvalid, s0_axis_tvalid};

  bvit_binary_attention #(
    .QUERIES(QUERIES), .KEYS(KEYS), .HEADS(HEADS), .HEAD_DIM(HEAD_DIM), .TABLE_BITS(2), .TABLE_SHIFT(1), .SIMD(SIMD),
    .KP(KP), .MP(MP), .PE(PE)
  ) dut (
    .s0_axis_tready(ready[0]), .s1_axis_tready(ready[1]), .s2_axis_tready(ready[2]), .*
  );

  fv_reset u_reset (.*);
  fv_sink #(.W(WORD)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  assign give = m_axis_tvalid && m_axis_tready;

  for (genvar i = 0; i < 3; i++) begin : gen_input
    localparam int IN = (i == 0) ? ROW_IN : FRAME_IN;      // beats of a row or frame
    localparam int OUT = (i == 0) ? ROW_OUT : FRAME_OUT;
    localparam int HELD = (i == 0) ? HELD_Q : (i == 1) ? HELD_K : HELD_V;
    localparam int BITS = $clog2(HELD + IN * OUT + 2);
    localparam int OUT_BITS = (OUT > 1) ? $clog2(OUT) : 1;
    logic [BITS-1:0] owed_q;          // goes round where one of the assertions fails
    logic [OUT_BITS-1:0] out_q;       // beats of the row or frame that went out
    logic [SIMD-1:0] data;
    assign data = (i == 0) ? s0_axis_tdata : (i == 1) ? s1_axis_tdata : s2_axis_tdata;
    always_ff @(posedge clk) begin
      if (rst) begin
        owed_q <= '0;
        out_q <= '0;
      end else begin
        owed_q <= owed_q + (valid[i] && ready[i] ? BITS'(OUT) : '0) - (give ? BITS'(IN) : '0);
        if (give) out_q <= (out_q == OUT_BITS'(OUT - 1)) ? '0 : out_q + 1'b1;
      end
    end
    assign owed[i] = 16'(owed_q);
    assign out[i] = 16'(out_q);
    fv_source #(.W(SIMD)) u_source (
      .clk, .rst, .tdata(data), .tvalid(valid[i]), .tready(ready[i])
    );
    fv_progress #(.WAIT(WAIT)) u_progress (
      .clk, .rst, .tvalid(valid[i]), .tready(ready[i]), .outputs_ready(m_axis_tready && &(valid | 3'(1 << i)))
    );
    // All beats of the row or frame have come.
    `FV_ASSERT(none_before_its_inputs, rst || !m_axis_tvalid || owed_q >= BITS'(IN * OUT) - BITS'(IN) * BITS'(out_q))
    `FV_ASSERT(none_lost, rst || owed_q <= BITS'(HELD))
    if (TIGHT) begin : gen_tight
      `FV_COVER_POINT(as_much_as_said, !rst && owed_q == BITS'(HELD))
    end
    `FV_COVER_POINT(several, !rst && give && valid[i] && ready[i])
  end

  // ------------------------------------------------------------------------------ what the registers hold
  // Groups of keys in the stages of the score phase, the newest first.
  localparam int STAGES = 9 + $clog2(KP);
  localparam int K_GROUPS = (KEYS + KP - 1) / KP;
  localparam int V_GROUPS = (KEYS + MP - 1) / MP;
  logic [STAGES-1:0] group, last, final_row;
  logic [2:0] got, got_last;
  logic [4:1] product, product_last;
  assign product = dut.u_product.valid_q;
  assign product_last = dut.u_product.last_q;
  assign got = dut.u_row.got_valid_q;
  assign got_last = dut.u_row.got_last_q;
  for (genvar s = 0; s < STAGES; s++) begin : gen_stage
    if (s < 5) begin : gen_score
      assign {group[s], last[s], final_row[s]} = dut.u_choice.u_score.gen_plain.tags_q[3*s+:3];
    end else begin : gen_choice
      assign group[s] = dut.u_choice.valid_q[s-4];
      assign last[s] = dut.u_choice.last_q[s-4];
      assign final_row[s] = dut.u_choice.final_q[s-4];
    end
  end
  // Which group of its row: beside the stages, and beside those of what has been compared.
  logic [STAGES-1:0][7:0] index_q;
  logic [2:0][7:0] got_index_q;
  logic [4:1][7:0] product_index_q;
  always_ff @(posedge clk) begin
    if (dut.u_product.en) product_index_q <= {product_index_q[3:1], 8'(dut.u_product.group_q)};
    if (dut.score_en) begin
      index_q <= {index_q[STAGES-2:0], 8'(dut.u_queries.group_q)};
      got_index_q <= {got_index_q[1:0], 8'(dut.u_choice.compare_group_q)};
    end
  end

  // Rows, one bit each, the newest first: in the stages, being compared, put together, done, in the product.
  localparam int PLACES = STAGES + 7;
  logic [PLACES-1:0] row, row_final;
  assign row = {
    dut.u_product.row_valid_q, dut.u_row.done_q, dut.u_row.full_q, got & got_last,
    dut.u_choice.compare_q, group & last
  };
  assign row_final = {
    dut.u_product.row_final_q, dut.u_row.done_final_q, dut.u_row.final_q, dut.u_row.got_final_q,
    dut.u_choice.compare_final_q, final_row
  };
  logic [15:0] next_row, rows, given, issued;  // of the frame; in flight; beats behind the product; of its row issued
  logic [15:0] product_row_q;                  // rows of the frame that left the product
  assign next_row = 16'(dut.u_queries.query_q) * 16'(HEADS) + 16'(dut.u_queries.head_q);
  assign rows = 16'($countones(row));
  assign given = 16'($countones(product & product_last)) + 16'(dut.u_product.m_valid_q);
  assign issued = 16'(dut.u_product.chunk_q);
  always_ff @(posedge clk) begin
    if (rst) product_row_q <= '0;
    else if (dut.u_product.row_done) product_row_q <= (product_row_q == 16'(ROWS - 1)) ? '0 : product_row_q + 1'b1;
  end

  // Beats of a frame of keys or values that have been written, and of a row that is gathered.
  function automatic logic [15:0] lane_of(input logic [7:0] lanes);
    lane_of = '0;
    for (int i = 0; i < 8; i++) if (lanes[i]) lane_of = 16'(i);
  endfunction
  logic [15:0] k_token, v_token, k_beats, v_beats, q_beats, k_beat, v_beat;
  assign k_token = 16'(dut.u_keys.u_slots.group_q) * 16'(KP) + lane_of(8'(dut.u_keys.lane));
  assign v_token = 16'(dut.u_values.u_slots.group_q) * 16'(MP) + lane_of(8'(dut.u_values.lane));
  assign k_beats = (k_token * 16'(HEADS) + 16'(dut.u_keys.u_slots.head_q)) * 16'(ROW_IN) + k_beat;
  assign v_beats = (v_token * 16'(HEADS) + 16'(dut.u_values.u_slots.head_q)) * 16'(ROW_IN)
      + 16'(dut.u_values.wchunk_q) * 16'(PE / SIMD) + v_beat;
  if (ROW_IN > 1) begin : gen_row_beats
    assign q_beats = 16'(dut.u_queries.u_gather.gen_many.beat_q);
    assign k_beat = 16'(dut.u_keys.u_gather.gen_many.beat_q);
  end else begin : gen_row_beat
    assign q_beats = '0;
    assign k_beat = '0;
  end
  if (PE > SIMD) begin : gen_value_beats
    assign v_beat = 16'(dut.u_values.gen_gather.u_gather.gen_many.beat_q);
  end else begin : gen_value_beat
    assign v_beat = '0;
  end

  // A whole row that waits apart.
  logic waiting;
  if (K_GROUPS > 4) begin : gen_apart
    assign waiting = dut.u_queries.gen_apart.whole_valid_q;
  end else begin : gen_at_once
    assign waiting = 1'b0;
  end

  // Pending of the rows that were issued.
  logic [15:0] pending;
  assign pending = rows * 16'(ROW_OUT) - issued + given;
  logic [15:0] k_count, v_count;
  assign k_count = 16'(dut.u_keys.u_slots.count_q);
  assign v_count = 16'(dut.u_values.u_slots.count_q);
  `FV_ASSERT(owed_queries, rst || owed[0] == 16'(ROW_IN) * pending
      + 16'(ROW_OUT) * (q_beats + 16'(ROW_IN) * (16'(dut.u_queries.valid_q) + 16'(waiting))))
  `FV_ASSERT(owed_keys, rst || owed[1] == 16'(FRAME_OUT) * (16'(FRAME_IN) * k_count + k_beats)
      - 16'(FRAME_IN * ROW_OUT) * next_row + 16'(FRAME_IN) * pending)
  `FV_ASSERT(owed_values, rst || owed[2] == 16'(FRAME_OUT) * (16'(FRAME_IN) * v_count + v_beats)
      - 16'(FRAME_IN * ROW_OUT) * product_row_q - 16'(FRAME_IN) * issued + 16'(FRAME_IN) * given)
  `FV_ASSERT(rows_in_order, rst || (product_row_q + rows) % 16'(ROWS) == next_row % 16'(ROWS))
  `FV_ASSERT(beats_in_order, rst || (16'(ROW_OUT) * product_row_q + issued - given + 16'(4 * FRAME_OUT) - out[1])
      % 16'(FRAME_OUT) == '0)
  `FV_ASSERT(same_beats, rst || (out[1] == out[2] && out[0] == out[1] % 16'(ROW_OUT)))
  `FV_ASSERT(in_range, rst || (k_count <= 2 && v_count <= 2 && next_row < 16'(ROWS) && product_row_q < 16'(ROWS)
      && k_beats < 16'(FRAME_IN) && v_beats < 16'(FRAME_IN) && k_beat < 16'(ROW_IN) && q_beats < 16'(ROW_IN)
      && dut.u_queries.head_q < HEADS && dut.u_queries.group_q < K_GROUPS && dut.u_keys.u_slots.head_q < HEADS
      && dut.u_values.u_slots.head_q < HEADS && v_beat < 16'(PE / SIMD) && dut.u_values.wchunk_q < ROW_OUT
      && $onehot(dut.u_keys.lane) && $onehot(dut.u_values.lane)
      && dut.u_product.group_q < V_GROUPS && dut.u_product.chunk_q < ROW_OUT
      && dut.u_choice.compare_group_q < K_GROUPS))
  `FV_ASSERT(keys_there, rst || (next_row == '0 && dut.u_queries.group_q == '0) || k_count != '0)
  `FV_ASSERT(query_there, rst || dut.u_queries.group_q == '0 || dut.u_queries.valid_q)
  `FV_ASSERT(values_there, rst || (product_row_q == '0 && issued == '0 && dut.u_product.group_q == '0) || v_count != '0)
  `FV_ASSERT(row_there, rst || dut.u_product.row_valid_q || (issued == '0 && dut.u_product.group_q == '0))
  `FV_ASSERT(compared, rst || dut.u_choice.compare_q || dut.u_choice.compare_group_q == '0)
  // A row's groups follow each other without a gap, also from the queries on and into the comparison.
  `FV_ASSERT(first_stage, rst || (group[0] && !last[0] ? dut.u_queries.group_q == index_q[0] + 1
      : dut.u_queries.group_q == '0))
  `FV_ASSERT(compared_in_time, rst || !dut.u_choice.compare_q || !group[STAGES-1]
      || index_q[STAGES-1] <= 8'(dut.u_choice.compare_group_q))
  for (genvar s = 0; s < STAGES; s++) begin : gen_in_stage
    `FV_ASSERT(marked, rst || !group[s] || (index_q[s] < 8'(K_GROUPS) && last[s] == (index_q[s] == 8'(K_GROUPS - 1))))
    if (s > 0) begin : gen_follows
      `FV_ASSERT(follows, rst || !group[s] || last[s] || (group[s-1] && index_q[s-1] == index_q[s] + 1))
      `FV_ASSERT(begins, rst || !group[s-1] || index_q[s-1] == '0 || (group[s] && index_q[s] == index_q[s-1] - 1))
    end
  end
  `FV_ASSERT(first_got, rst || (got[0] && !got_last[0]
      ? dut.u_choice.compare_q && 8'(dut.u_choice.compare_group_q) == got_index_q[0] + 1
      : dut.u_choice.compare_group_q == '0))
  `FV_ASSERT(first_product, rst || (product[1] && !product_last[1]
      ? 8'(dut.u_product.group_q) == product_index_q[1] + 1 : dut.u_product.group_q == '0))
  for (genvar s = 1; s < 5; s++) begin : gen_product
    `FV_ASSERT(marked, rst || !product[s] || (product_index_q[s] < 8'(V_GROUPS)
        && product_last[s] == (product_index_q[s] == 8'(V_GROUPS - 1))))
    if (s > 1) begin : gen_follows
      `FV_ASSERT(follows, rst || !product[s] || product_last[s]
          || (product[s-1] && product_index_q[s-1] == product_index_q[s] + 1))
      `FV_ASSERT(begins, rst || !product[s-1] || product_index_q[s-1] == '0
          || (product[s] && product_index_q[s] == product_index_q[s-1] - 1))
    end
  end
  `FV_ASSERT(one_beat_offered, rst || !dut.u_product.m_valid_q || !product[4] || product_index_q[4] == '0)
  `FV_ASSERT(one_row_waits, rst || !dut.u_row.full_q || !got[2] || got_index_q[2] == '0)
  for (genvar s = 0; s < 3; s++) begin : gen_got
    `FV_ASSERT(marked, rst || !got[s] || (got_index_q[s] < 8'(K_GROUPS)
        && got_last[s] == (got_index_q[s] == 8'(K_GROUPS - 1))))
    if (s > 0) begin : gen_follows
      `FV_ASSERT(follows, rst || !got[s] || got_last[s] || (got[s-1] && got_index_q[s-1] == got_index_q[s] + 1))
      `FV_ASSERT(begins, rst || !got[s-1] || got_index_q[s-1] == '0
          || (got[s] && got_index_q[s] == got_index_q[s-1] - 1))
    end
  end
  for (genvar p = 0; p < PLACES; p++) begin : gen_row
    logic [15:0] younger;
    assign younger = 16'($countones(row & PLACES'((1 << p) - 1)));
    `FV_ASSERT(final_is_last, rst || !row[p]
        || row_final[p] == ((next_row + 16'(4 * PLACES * ROWS) - 16'd1 - younger) % 16'(ROWS) == 16'(ROWS - 1)))
  end
endmodule

`default_nettype wire
