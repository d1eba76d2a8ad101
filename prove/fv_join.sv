// A fork and its join: bvit_duplicate, a FIFO of its own depth on either branch, bvit_channel_affine with two inputs.
// Beats come out in order as the sum of both branches, x + x; and the whole never locks up.
`include "fv.svh"
`default_nettype none

module fv_join #(
  parameter int DEPTH0 = 2,
  parameter int DEPTH1 = 2
) (
  input wire logic       clk,
  input wire logic       rst,
  input wire logic       pick,
  input wire logic [1:0] s_axis_tdata,
  input wire logic       s_axis_tvalid,
  input wire logic       m_axis_tready
);
  localparam int MOST = ((DEPTH0 < DEPTH1) ? DEPTH0 : DEPTH1) + 3 + 1;
  logic after_reset, s_axis_tready, m_axis_tvalid;
  logic [3:0] m_axis_tdata;
  logic [$clog2(MOST+3)-1:0] level;
  logic [3:0] fork_data, join_data;
  logic [1:0] fork_valid, fork_ready, join_valid, join_ready, unused_ready;

  bvit_duplicate #(.W(2), .COPIES(2)) u_fork (
    .clk, .rst, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tdata(fork_data), .m_axis_tvalid(fork_valid), .m_axis_tready(fork_ready)
  );
  bvit_fifo #(.W(2), .DEPTH(DEPTH0)) u_branch0 (
    .clk, .rst, .s_axis_tdata(fork_data[1:0]), .s_axis_tvalid(fork_valid[0]), .s_axis_tready(fork_ready[0]),
    .m_axis_tdata(join_data[1:0]), .m_axis_tvalid(join_valid[0]), .m_axis_tready(join_ready[0])
  );
  bvit_fifo #(.W(2), .DEPTH(DEPTH1)) u_branch1 (
    .clk, .rst, .s_axis_tdata(fork_data[3:2]), .s_axis_tvalid(fork_valid[1]), .s_axis_tready(fork_ready[1]),
    .m_axis_tdata(join_data[3:2]), .m_axis_tvalid(join_valid[1]), .m_axis_tready(join_ready[1])
  );
  bvit_channel_affine #(
    .PE(1), .BEATS(1), .N_IN(2), .IN0_BITS(2), .IN1_BITS(2), .MULTIPLY(0), .BIAS_BITS(1), .SUM_BITS(4),
    .OUT_SHIFT(0), .OUT_BITS(4)
  ) u_join (
    .clk, .rst,
    .s0_axis_tdata(join_data[1:0]), .s0_axis_tvalid(join_valid[0]), .s0_axis_tready(join_ready[0]),
    .s1_axis_tdata(join_data[3:2]), .s1_axis_tvalid(join_valid[1]), .s1_axis_tready(join_ready[1]),
    .s2_axis_tdata('0), .s2_axis_tvalid(1'b0), .s2_axis_tready(unused_ready[0]),
    .s3_axis_tdata('0), .s3_axis_tvalid(1'b0), .s3_axis_tready(unused_ready[1]),
    .m_axis_tdata, .m_axis_tvalid, .m_axis_tready
  );

  fv_reset u_reset (.*);
  fv_source #(.W(2)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(4)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  // The bias, 0 or -1, is a memory without contents, so a free constant; x + x is even, so a result's parity tells it.
  logic offered_q, push;
  always_ff @(posedge clk) offered_q <= !rst && s_axis_tvalid && !s_axis_tready;
  assign push = s_axis_tvalid && !offered_q;
  logic bias_known_q, bias_q;
  always_ff @(posedge clk) begin
    bias_known_q <= !rst && (bias_known_q || m_axis_tvalid);
    if (!bias_known_q) bias_q <= m_axis_tdata[0];
  end
  fv_order #(
    .UNIT(2),
    .MOST(MOST),
    .LATENCY((DEPTH0 == DEPTH1) ? 5 : 6),
    .THROUGH(1'b1)
  ) u_order (
    .clk, .rst, .pick, .which('0), .push, .push_data(s_axis_tdata),
    .valid(m_axis_tvalid), .pop(m_axis_tvalid && m_axis_tready),
    .pop_data(2'((m_axis_tdata + 4'(bias_known_q && bias_q) + 4'(!bias_known_q && m_axis_tdata[0])) >> 1)), .level
  );
  fv_progress #(.WAIT(3)) u_progress (
    .clk, .rst, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .outputs_ready(m_axis_tready)
  );
  `FV_COVER_POINT(filled, !rst && level == ($clog2(MOST + 3))'(MOST))
endmodule

`default_nettype wire
