// The second product: for each row and channel the attended keys with v = 1 less those with v = 0.
//
// A row takes HEAD_DIM/PE * ceil(KEYS/MP) cycles, no bubbles from row to row when the next one is
// there; latency ceil(KEYS/MP) + 5 cycles from taking a row to its first beat. Of the last group's
// values those behind the last key do not matter. The pipeline stands while a beat
// is offered and not taken, so `v_re` and `s_ready` are combinational on m_axis_tready.
// `v_group`, `v_head` and `v_chunk` say what is read of the values, `v_bits` holds it a cycle after
// `v_re`; `v_frame_done` marks the last read of a frame's values.
`default_nettype none

module bvit_attention_product #(
  parameter int KEYS = 4,
  parameter int HEADS = 2,
  parameter int HEAD_DIM = 32,
  parameter int MP = 4,
  parameter int PE = 4,
  localparam int GROUPS = (KEYS + MP - 1) / MP,  // cycles of an output beat
  localparam int CHUNKS = HEAD_DIM / PE,  // output beats of a row
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1,
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1,
  localparam int CHUNK_BITS = (CHUNKS > 1) ? $clog2(CHUNKS) : 1,
  localparam int OUT_BITS = $clog2(KEYS + 1) + 1
) (
  input  wire logic                          clk,
  input  wire logic                          rst,
  input  wire logic                          s_valid,
  output wire logic                          s_ready,
  input  wire logic        [       KEYS-1:0] s_row,         // bit j: key j is attended
  input  wire logic signed [   OUT_BITS-1:0] s_minus,       // minus the number of attended keys
  input  wire logic                          s_frame_last,
  input  wire logic                          v_there,       // the frame's values may be read
  output wire logic                          v_re,
  output wire logic        [ GROUP_BITS-1:0] v_group,
  output wire logic        [  HEAD_BITS-1:0] v_head,
  output wire logic        [ CHUNK_BITS-1:0] v_chunk,
  output wire logic                          v_frame_done,
  input  wire logic        [      MP*PE-1:0] v_bits,        // of key j, channel i: [j*PE + i]
  output wire logic        [PE*OUT_BITS-1:0] m_axis_tdata,
  output wire logic                          m_axis_tvalid,
  input  wire logic                          m_axis_tready
);

  // --------------------------------------------------------------------- the row and what is read
  wire logic en;  // the pipeline moves
  logic [KEYS-1:0] row_q;
  logic signed [OUT_BITS-1:0] minus_q;
  logic row_valid_q, row_final_q;
  logic [GROUP_BITS-1:0] group_q;
  logic [HEAD_BITS-1:0] head_q;
  logic [CHUNK_BITS-1:0] chunk_q;
  wire logic take = s_valid && s_ready;
  wire logic issue = row_valid_q && v_there && en;
  wire logic group_first = group_q == '0;
  wire logic group_last = group_q == GROUP_BITS'(GROUPS - 1);
  wire logic chunk_last = chunk_q == CHUNK_BITS'(CHUNKS - 1);
  wire logic row_done = issue && group_last && chunk_last;

  assign s_ready = !row_valid_q || row_done;
  assign v_re = en;
  assign v_group = group_q;
  assign v_head = head_q;
  assign v_chunk = chunk_q;
  assign v_frame_done = row_done && row_final_q;

  always_ff @(posedge clk) begin
    if (take) begin
      row_q <= s_row;
      minus_q <= s_minus;
      row_final_q <= s_frame_last;
    end
    if (rst) begin
      row_valid_q <= 1'b0;
      group_q <= '0;
      chunk_q <= '0;
      head_q <= '0;
    end else begin
      if (take) row_valid_q <= 1'b1;
      else if (row_done) row_valid_q <= 1'b0;
      if (issue) group_q <= group_last ? '0 : group_q + 1'b1;
      if (issue && group_last) chunk_q <= chunk_last ? '0 : chunk_q + 1'b1;
      if (row_done) head_q <= (head_q == HEAD_BITS'(HEADS - 1)) ? '0 : head_q + 1'b1;
    end
  end

  // ------------------------------------------------------------------------------------- the sums
  // Stages: 1 values read and the keys' bits beside them, 2 values of attended keys, 4 counts, then
  // the accumulators, which offer the beat themselves: the pipeline stands while it waits.
  localparam int ROW_BITS = GROUPS * MP;
  wire logic [ROW_BITS-1:0] row = ROW_BITS'(row_q);  // no key behind the last one is attended
  logic [MP-1:0] keys_q;
  logic [4:1] valid_q, first_q, last_q;
  logic signed [4:1][OUT_BITS-1:0] minus_at_q;  // of the row whose group is in the stage
  logic m_valid_q;
  always_ff @(posedge clk) begin
    if (en) begin
      keys_q <= row[group_q*MP+:MP];
      first_q <= {first_q[3:1], group_first};
      last_q <= {last_q[3:1], group_last};
      minus_at_q <= {minus_at_q[3:1], minus_q};
    end
    if (rst) begin
      valid_q <= '0;
      m_valid_q <= 1'b0;
    end else if (en) begin
      valid_q <= {valid_q[3:1], issue};
      m_valid_q <= valid_q[4] && last_q[4];
    end
  end

  assign en = !m_valid_q || m_axis_tready;
  assign m_axis_tvalid = m_valid_q;

  // acc = 2 * (attended keys with v = 1) - (attended keys): the lowest bit is the row's, the others
  // count up from half of the negative number.
  localparam int COUNT_BITS = $clog2(MP + 1);
  logic m_odd_q;
  always_ff @(posedge clk) if (en) m_odd_q <= minus_at_q[4][0];

  for (genvar i = 0; i < PE; i++) begin : gen_out
    logic [MP-1:0] v_q;
    wire logic [COUNT_BITS-1:0] count;
    logic [OUT_BITS-2:0] half_q;
    // A reset rather than an AND gate: it costs no LUT.
    for (genvar j = 0; j < MP; j++) begin : gen_key
      always_ff @(posedge clk) begin
        if (en) begin
          if (!keys_q[j]) v_q[j] <= 1'b0;
          else v_q[j] <= v_bits[j*PE+i];
        end
      end
    end
    bvit_attention_popcount #(
      .N(MP)
    ) u_count (
      .clk,
      .en,
      .bits(v_q),
      .count
    );
    always_ff @(posedge clk) begin
      if (en && valid_q[4]) begin
        half_q <= (first_q[4] ? minus_at_q[4][OUT_BITS-1:1] : half_q) + (OUT_BITS - 1)'(count);
      end
    end
    assign m_axis_tdata[i*OUT_BITS+:OUT_BITS] = {half_q, m_odd_q};
  end

endmodule

`default_nettype wire
