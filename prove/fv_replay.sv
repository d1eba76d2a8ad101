// bvit_replay, and upsample and channel_repeat on top of it: every chunk of BEATS beats INNER times in a row, every
// group of CHUNKS chunks OUTER times. OPERATOR 0 is bvit_replay as the matrix units have it, enabled by anything,
// 1 bvit_upsample, 2 bvit_channel_repeat (both are bvit_replay with a handshake for its enable).
`include "fv.svh"
`default_nettype none

module fv_replay #(
  parameter int W = 1,
  parameter int BEATS = 2,
  parameter int CHUNKS = 1,
  parameter int INNER = 1,
  parameter int OUTER = 2,
  parameter bit BLOCK = 1'b0,
  parameter bit ADDER = 1'b1,
  parameter bit SHORT = 1'b0,
  parameter int OPERATOR = 0
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic         pick,
  input wire logic [W-1:0] s_axis_tdata,
  input wire logic         s_axis_tvalid,
  input wire logic         m_axis_tready
);
  localparam int GROUP = BEATS * CHUNKS;
  localparam int B = $clog2(3 * GROUP + INNER + OUTER + 1);
  logic after_reset, s_axis_tready, m_axis_tvalid, take, give, en;
  logic [W-1:0] m_axis_tdata;

  assign take = s_axis_tvalid && s_axis_tready;
  assign give = m_axis_tvalid && m_axis_tready;

  fv_reset u_reset (.*);
  fv_source #(.W(W)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(W)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );

  // Where the next beat in and the next beat out lie in their groups, and what is inside.
  logic [B-1:0] in_q, beat_q, chunk_q, inner_q, outer_q;
  logic [B-1:0] level_q;    // beats taken of the group that is played and of those after it
  logic [B-1:0] place;      // of the next beat out in its group
  logic last_beat, last_inner, last_chunk, last_outer, group_ends;
  assign place = B'(chunk_q * BEATS) + beat_q;
  assign last_beat = beat_q == B'(BEATS - 1);
  assign last_inner = inner_q == B'(INNER - 1);
  assign last_chunk = chunk_q == B'(CHUNKS - 1);
  assign last_outer = outer_q == B'(OUTER - 1);
  assign group_ends = give && last_beat && last_inner && last_chunk && last_outer;

  // The watched beat: its place in its group, and how many groups come before it.
  logic watch_q, start;
  logic [1:0] groups_q, groups_inside;  // groups ahead of the watched one
  logic [B-1:0] watched_q;
  logic [W-1:0] value_q;
  assign start = take && pick && !watch_q;
  assign groups_inside = (level_q >= B'(2 * GROUP)) ? 2'd2 : (level_q >= B'(GROUP)) ? 2'd1 : 2'd0;
  logic [1:0] wait_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      in_q <= '0;
      beat_q <= '0;
      chunk_q <= '0;
      inner_q <= '0;
      outer_q <= '0;
      level_q <= '0;
      watch_q <= 1'b0;
      wait_q <= '0;
    end else begin
      if (take) in_q <= (in_q == B'(GROUP - 1)) ? '0 : in_q + 1'b1;
      level_q <= level_q + B'(take) - (group_ends ? B'(GROUP) : '0);
      if (give) begin
        beat_q <= last_beat ? '0 : beat_q + 1'b1;
        if (last_beat) inner_q <= last_inner ? '0 : inner_q + 1'b1;
        if (last_beat && last_inner) chunk_q <= last_chunk ? '0 : chunk_q + 1'b1;
        if (last_beat && last_inner && last_chunk) outer_q <= last_outer ? '0 : outer_q + 1'b1;
      end
      if (start) watch_q <= 1'b1;
      else if (group_ends && groups_q == '0) watch_q <= 1'b0;
      wait_q <= (m_axis_tvalid || level_q <= place) ? '0 : wait_q + 2'(en);
    end
    if (start) begin
      watched_q <= in_q;
      value_q <= s_axis_tdata;
      groups_q <= groups_inside - 2'(group_ends);
    end else if (group_ends) groups_q <= groups_q - 1'b1;
  end

  if (OPERATOR == 0) begin : gen_replay
    localparam int PLAYED = OUTER * GROUP;
    localparam int ADDR_BITS = (PLAYED > 1) ? $clog2(PLAYED) : 1;
    logic [ADDR_BITS-1:0] addr, addr_q;
    logic first, last;
    assign en = m_axis_tready;
    bvit_replay #(
      .WIDTH(W), .BEATS(BEATS), .CHUNKS(CHUNKS), .INNER(INNER), .OUTER(OUTER), .BLOCK(BLOCK), .ADDER(ADDER),
      .SHORT(SHORT)
    ) dut (.*, .x(m_axis_tdata), .valid(m_axis_tvalid));
    // The address that was there when the beat was read, and which beat of its group it is.
    if (INNER == 1) begin : gen_marks
      always_ff @(posedge clk) if (en) addr_q <= addr;
      `FV_ASSERT(address, rst || !m_axis_tvalid || int'(addr_q) == int'(outer_q) * GROUP + int'(place))
      `FV_ASSERT(first_of_group, rst || !m_axis_tvalid || first == (place == '0))
      `FV_ASSERT(last_of_group, rst || !m_axis_tvalid || last == (place == B'(GROUP - 1)))
    end
  end else if (OPERATOR == 1) begin : gen_upsample
    assign en = !m_axis_tvalid || m_axis_tready;
    bvit_upsample #(
      .WIDTH(CHUNKS * INNER), .CHANNELS(BEATS), .FACTOR(INNER), .BITS(W), .PE(1), .BLOCK(BLOCK)
    ) dut (.*);
  end else begin : gen_repeat
    assign en = !m_axis_tvalid || m_axis_tready;
    bvit_channel_repeat #(
      .CHANNELS(BEATS), .REPEAT(OUTER), .BITS(W), .PE(1), .BLOCK(BLOCK)
    ) dut (.*);
  end

  `FV_ASSERT(none_before_its_input, rst || !m_axis_tvalid || level_q > place)
  `FV_ASSERT(order_and_value, rst || !(m_axis_tvalid && watch_q && groups_q == '0 && place == watched_q)
    || m_axis_tdata == value_q)
  // The output register holds a beat beside the two groups.
  `FV_ASSERT(not_more_than_it_holds, rst || level_q <= B'(2 * GROUP + GROUP))
  `FV_ASSERT(offered_in_time, rst || wait_q <= 2'd1)
  // A register that says whether there is room learns of the reset's end a cycle later.
  `FV_ASSERT(room_is_used, rst || (SHORT && after_reset) || s_axis_tready || level_q >= B'(2 * GROUP))
  `FV_COVER_POINT(full, !rst && !after_reset && !s_axis_tready)
  `FV_COVER_POINT(second_group, !rst && give && watch_q && groups_q == '0 && place == watched_q && last_outer)
  `FV_COVER_POINT(group_after_group, !rst && group_ends && level_q > B'(GROUP))
endmodule

`default_nettype wire
