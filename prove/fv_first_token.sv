// bvit_first_token: the first token's beats come out once and in order, the others are taken at once and leave no
// trace.
`include "fv.svh"
`default_nettype none

module fv_first_token #(
  parameter int W = 2,
  parameter int TOKENS = 3,
  parameter int BEATS = 2
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic         pick,
  input wire logic [W-1:0] s_axis_tdata,
  input wire logic         s_axis_tvalid,
  input wire logic         m_axis_tready
);
  localparam int FRAME = TOKENS * BEATS;
  localparam int B = $clog2(FRAME + 1);
  logic after_reset, s_axis_tready, m_axis_tvalid, push, offered_q, wanted, take;
  logic [W-1:0] m_axis_tdata;
  logic [B-1:0] place_q;  // of the beat at the input in its frame
  logic [1:0] level;

  bvit_first_token #(
    .TOKENS(TOKENS),
    .CHANNELS(BEATS),
    .BITS(W),
    .PE(1)
  ) dut (.*);

  assign take = s_axis_tvalid && s_axis_tready;
  assign wanted = place_q < B'(BEATS);
  assign push = s_axis_tvalid && wanted && !offered_q;
  always_ff @(posedge clk) begin
    offered_q <= !rst && s_axis_tvalid && !s_axis_tready;
    if (rst) place_q <= '0;
    else if (take) place_q <= (place_q == B'(FRAME - 1)) ? '0 : place_q + 1'b1;
  end

  fv_reset u_reset (.*);
  fv_source #(.W(W)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(
    .W(W),
    .REGISTERED(1'b0)
  ) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  fv_order #(
    .UNIT(W),
    .MOST(1),
    .LATENCY(0),
    .THROUGH(1'b1)
  ) u_order (
    .clk, .rst, .pick, .which('0), .push, .push_data(s_axis_tdata),
    .valid(m_axis_tvalid), .pop(m_axis_tvalid && m_axis_tready), .pop_data(m_axis_tdata), .level
  );
  // Taken is what leaves, or what is dropped.
  `FV_ASSERT(taken_when_it_left, rst || !take || level + 2'(push) == 2'(m_axis_tvalid && m_axis_tready))
  `FV_ASSERT(dropped_at_once, rst || !s_axis_tvalid || wanted || s_axis_tready)
  `FV_ASSERT(full_rate, rst || !s_axis_tvalid || !m_axis_tready || s_axis_tready)
  if (TOKENS > 1) begin : gen_drop
    `FV_COVER_POINT(drops_while_the_sink_stalls, !rst && take && !wanted && !m_axis_tready)
  end
  `FV_COVER_POINT(next_frame, !rst && take && place_q == B'(FRAME - 1))
endmodule

`default_nettype wire
