// bvit_logits_out: order, sign, TLAST on the last logit of every packet, frame_done and output_stalled.
`include "fv.svh"
`default_nettype none

module fv_logits_out #(
  parameter int CLASSES = 3,
  parameter int STALL_CYCLES = 3,
  parameter int FRAMES = 2    // largest number of frames in a packet
) (
  input wire logic        clk,
  input wire logic        rst,
  input wire logic        pick,
  input wire logic [1:0]  s_axis_tdata,
  input wire logic        s_axis_tvalid,
  input wire logic        m_axis_tready,
  input wire logic [15:0] packet_frames
);
  logic after_reset, s_axis_tready, m_axis_tvalid, m_axis_tlast, m_axis_tkeep, frame_done, output_stalled;
  logic [7:0] m_axis_tdata;
  logic [2:0] level;
  bvit_logits_out #(.BITS(2), .CLASSES(CLASSES), .W(8), .STALL_CYCLES(STALL_CYCLES)) dut (.*);

  logic started_q = 1'b0;
  always_ff @(posedge clk) started_q <= 1'b1;

  // Stays as it is after a reset.
  logic [15:0] frames_q;
  always_ff @(posedge clk) if (rst) frames_q <= packet_frames;
  `FV_ASSUME(packet_stays, rst || packet_frames == frames_q)
  `FV_ASSUME(packet_small, packet_frames <= 16'(FRAMES))

  // Reference: number of the class and of the frame, on either side.
  logic [3:0] in_class_q, in_frame_q, out_class_q;
  logic in_ends, in_last, push, pop;
  assign push = s_axis_tvalid && s_axis_tready;
  assign pop = m_axis_tvalid && m_axis_tready;
  assign in_ends = in_class_q == 4'(CLASSES - 1);
  assign in_last = in_ends && (packet_frames <= 16'd1 || 16'(in_frame_q) == packet_frames - 16'd1);
  logic done_q;
  logic [2:0] stall_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      in_class_q <= '0;
      in_frame_q <= '0;
      out_class_q <= '0;
      done_q <= 1'b0;
      stall_q <= '0;
    end else begin
      if (push) in_class_q <= in_ends ? '0 : in_class_q + 1'b1;
      if (push && in_ends) in_frame_q <= in_last ? '0 : in_frame_q + 1'b1;
      if (pop) out_class_q <= (out_class_q == 4'(CLASSES - 1)) ? '0 : out_class_q + 1'b1;
      done_q <= pop && out_class_q == 4'(CLASSES - 1);
      if (!m_axis_tvalid || m_axis_tready) stall_q <= '0;
      else if (stall_q < 3'(STALL_CYCLES)) stall_q <= stall_q + 1'b1;
    end
  end

  fv_reset u_reset (.*);
  fv_source #(.W(2)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(10)) u_sink (
    .clk, .rst, .after_reset, .tdata({m_axis_tkeep, m_axis_tlast, m_axis_tdata}), .tvalid(m_axis_tvalid),
    .tready(m_axis_tready)
  );
  fv_order #(
    .UNIT(9),
    .MOST(2),
    .LATENCY(0)
  ) u_order (
    .clk, .rst, .pick, .which('0),
    .push, .push_data({in_last, {6{s_axis_tdata[1]}}, s_axis_tdata}),
    .valid(m_axis_tvalid), .pop, .pop_data({m_axis_tlast, m_axis_tdata}), .level
  );
  `FV_ASSERT(all_bytes_kept, m_axis_tkeep)
  `FV_ASSERT(done_after_last_class, !started_q || frame_done == done_q)
  `FV_ASSERT(stall_reported, !started_q || output_stalled == (stall_q == 3'(STALL_CYCLES)))
  `FV_COVER_POINT(packet_of_most, pop && m_axis_tlast && !rst && packet_frames == 16'(FRAMES))
  `FV_COVER_POINT(stalled, started_q && !rst && output_stalled)
endmodule

`default_nettype wire
