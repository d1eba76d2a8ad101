// bvit_frame_guard: only whole frames go on, in order and unchanged; every frame is reported as what it is.
//
// The reference knows no memory: it counts the beats of the frame under way and what was accepted. A beat of the frame
// under way may be watched; it is forgotten when its frame is dropped.
`include "fv.svh"
`default_nettype none

module fv_frame_guard #(
  parameter int BEATS = 2,
  parameter int DEPTH = 6,
  parameter int FRAMES = 2    // largest number of frames in a packet
) (
  input wire logic        clk,
  input wire logic        rst,
  input wire logic        pick,
  input wire logic        s_axis_tdata,
  input wire logic        s_axis_tkeep,
  input wire logic        s_axis_tlast,
  input wire logic        s_axis_tvalid,
  input wire logic        m_axis_tready,
  input wire logic [15:0] packet_frames
);
  localparam int B = $clog2(DEPTH + BEATS + 4);
  logic after_reset, s_axis_tready, m_axis_tvalid;
  logic frame_start, frame_accepted, frame_short, frame_long, packet_short;
  logic [7:0] m_axis_tdata;

  bvit_frame_guard #(.W(8), .BYTES(BEATS), .DEPTH(DEPTH)) dut (.s_axis_tdata({8{s_axis_tdata}}), .*);

  fv_reset u_reset (.*);
  fv_source #(.W(3)) u_source (
    .clk, .rst, .tdata({s_axis_tlast, s_axis_tkeep, s_axis_tdata}), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(8)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  logic [15:0] frames_q;
  always_ff @(posedge clk) if (rst) frames_q <= packet_frames;
  `FV_ASSUME(packet_stays, rst || packet_frames == frames_q)
  `FV_ASSUME(packet_small, packet_frames <= 16'(FRAMES))

  // Reference.
  logic [B-1:0] beat_q;     // beats of the frame under way
  logic [B-1:0] inside_q;   // beats of accepted frames that have not gone on
  logic [3:0] frame_q;      // frames of the packet that have ended
  logic drop_q, hole_q;     // the rest of the packet is dropped; a byte was left out
  logic take, give, final_frame, hole, full, ends, good, is_short, is_long;
  assign take = s_axis_tvalid && s_axis_tready;
  assign give = m_axis_tvalid && m_axis_tready;
  assign final_frame = 16'(frame_q) + 16'd1 >= packet_frames;
  assign hole = hole_q || !s_axis_tkeep;
  assign full = beat_q == B'(BEATS - 1);
  assign ends = s_axis_tlast || (full && !final_frame);
  assign good = take && !drop_q && full && ends && !hole;
  assign is_short = take && !drop_q && ends && !good;
  assign is_long = take && !drop_q && full && !ends;

  logic watch_q, sure_q, value_q;   // sure: its frame was accepted
  logic [B-1:0] ahead_q;
  logic start, hit;
  assign start = take && !drop_q && pick && !watch_q;
  assign hit = watch_q && sure_q && ahead_q == '0;
  logic [2:0] wait_q;
  logic [4:0] reports_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      beat_q <= '0;
      inside_q <= '0;
      frame_q <= '0;
      drop_q <= 1'b0;
      hole_q <= 1'b0;
      watch_q <= 1'b0;
      wait_q <= '0;
      reports_q <= '0;
    end else begin
      if (take && !drop_q) begin
        beat_q <= (s_axis_tlast || full) ? '0 : beat_q + 1'b1;
        hole_q <= hole && !s_axis_tlast && !full;
      end
      if (take && s_axis_tlast) frame_q <= '0;
      else if (take && !drop_q && ends) frame_q <= frame_q + 1'b1;
      if (take && s_axis_tlast) drop_q <= 1'b0;
      else if (is_long) drop_q <= 1'b1;
      inside_q <= inside_q + (good ? B'(BEATS) : '0) - B'(give);
      if (start) watch_q <= !(is_short || is_long);
      else if (watch_q && !sure_q && (is_short || is_long)) watch_q <= 1'b0;
      else if (give && hit) watch_q <= 1'b0;
      wait_q <= (m_axis_tvalid || inside_q == '0) ? '0 : wait_q + 1'b1;
      reports_q <= {
        take && !drop_q && beat_q == '0, good, is_short, is_long, take && !drop_q && s_axis_tlast && !final_frame
      };
    end
    if (start) begin
      value_q <= s_axis_tdata;
      sure_q <= good;
      ahead_q <= inside_q + beat_q - B'(give);
    end else begin
      if (good) sure_q <= 1'b1;
      if (give) ahead_q <= ahead_q - 1'b1;
    end
  end

  logic started_q = 1'b0;
  always_ff @(posedge clk) started_q <= 1'b1;
  `FV_ASSERT(none_before_its_frame, rst || !m_axis_tvalid || inside_q != '0)
  `FV_ASSERT(order_and_value, rst || !m_axis_tvalid || !hit || m_axis_tdata == {8{value_q}})
  `FV_ASSERT(offered_in_time, rst || wait_q <= 3'd2)
  `FV_ASSERT(reported,
    !started_q || {frame_start, frame_accepted, frame_short, frame_long, packet_short} == reports_q)
  `FV_ASSERT(not_more_than_it_holds, rst || inside_q + beat_q <= B'(DEPTH + 2))
  // Ready may be late: it comes a cycle after a beat has gone on, two after a frame was dropped.
  logic [2:0] room_q;
  always_ff @(posedge clk) begin
    room_q <= (rst || s_axis_tready || inside_q + beat_q >= B'(DEPTH)) ? '0 : room_q + 1'b1;
  end
  `FV_ASSERT(room_is_used, rst || after_reset || room_q <= 3'd2)
  `FV_COVER_POINT(accepted, !rst && frame_accepted)
  `FV_COVER_POINT(dropped_short, !rst && frame_short)
  `FV_COVER_POINT(dropped_long, !rst && frame_long && inside_q != '0)
  `FV_COVER_POINT(full_buffer, !rst && !after_reset && !s_axis_tready)
  `FV_COVER_POINT(watched_comes_out, !rst && give && hit && packet_frames == 16'(FRAMES))
endmodule

`default_nettype wire
