// bvit_prepend_token: before each frame's tokens, which come out once and in order, BEATS beats of the stored token,
// the same in every frame, and only where a frame waits behind them. No two words of the memory are equal.
`include "fv.svh"
`default_nettype none

module fv_prepend_token #(
  parameter int W = 2,
  parameter int TOKENS = 2,
  parameter int BEATS = 2
) (
  input wire logic         clk,
  input wire logic         rst,
  input wire logic         pick,
  input wire logic [W-1:0] s_axis_tdata,
  input wire logic         s_axis_tvalid,
  input wire logic         m_axis_tready
);
  localparam int FRAME = (TOKENS + 1) * BEATS;
  localparam int B = $clog2(FRAME + 1);
  logic after_reset, s_axis_tready, m_axis_tvalid, take, give, stored;
  logic [W-1:0] m_axis_tdata;
  logic [B-1:0] place_q;  // of the next beat out in its frame
  logic [B-1:0] in_q;     // of the next beat in
  logic [1:0] level;

  bvit_prepend_token #(
    .TOKENS(TOKENS),
    .CHANNELS(BEATS),
    .BITS(W),
    .PE(1),
    .TOKEN_FILE("token.mem")
  ) dut (.*);

  assign take = s_axis_tvalid && s_axis_tready;
  assign give = m_axis_tvalid && m_axis_tready;
  assign stored = place_q < B'(BEATS);
  logic [W-1:0] words[3];
  assign words = '{W'(2), W'(1), W'(3)};  // of token.mem
  always_ff @(posedge clk) begin
    if (rst) begin
      place_q <= '0;
      in_q <= '0;
    end else begin
      if (give) place_q <= (place_q == B'(FRAME - 1)) ? '0 : place_q + 1'b1;
      if (take) in_q <= (in_q == B'(TOKENS * BEATS - 1)) ? '0 : in_q + 1'b1;
    end
  end

  fv_reset u_reset (.*);
  fv_source #(.W(W)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(.W(W)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  fv_order #(
    .UNIT(W),
    .MOST(1),
    .LATENCY(0)
  ) u_order (
    .clk, .rst, .pick, .which('0), .push(take), .push_data(s_axis_tdata),
    .valid(m_axis_tvalid && !stored), .pop(give && !stored), .pop_data(m_axis_tdata), .level
  );
  fv_progress #(.WAIT(BEATS)) u_progress (
    .clk, .rst, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .outputs_ready(m_axis_tready)
  );
  `FV_ASSERT(stored_words, rst || !(m_axis_tvalid && stored) || m_axis_tdata == words[place_q])
  // Its frame's first beat is offered and waits.
  `FV_ASSERT(stored_before_a_frame, rst || !(m_axis_tvalid && stored) || (s_axis_tvalid && in_q == '0))
  `FV_ASSERT(none_in_between, rst || !(level != '0) || !stored)
  `FV_COVER_POINT(stored_waits, !rst && m_axis_tvalid && stored && !m_axis_tready && place_q == B'(BEATS - 1))
  `FV_COVER_POINT(frame_after_frame, !rst && give && place_q == B'(FRAME - 1) && s_axis_tvalid)
endmodule

`default_nettype wire
