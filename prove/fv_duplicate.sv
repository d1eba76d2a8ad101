// bvit_duplicate: every output gets every beat once and in order, whatever the readies of the others do; the input's
// beat is taken when all have it.
`include "fv.svh"
`default_nettype none

module fv_duplicate #(
  parameter int COPIES = 2,
  parameter int W = 2
) (
  input wire logic              clk,
  input wire logic              rst,
  input wire logic              pick,
  input wire logic [W-1:0]      s_axis_tdata,
  input wire logic              s_axis_tvalid,
  input wire logic [COPIES-1:0] m_axis_tready
);
  logic after_reset, s_axis_tready, push, offered_q;
  logic [COPIES-1:0] m_axis_tvalid;
  logic [COPIES*W-1:0] m_axis_tdata;

  bvit_duplicate #(
    .W(W),
    .COPIES(COPIES)
  ) dut (.*);

  always_ff @(posedge clk) offered_q <= !rst && s_axis_tvalid && !s_axis_tready;
  assign push = s_axis_tvalid && !offered_q;

  fv_reset u_reset (.*);
  fv_source #(.W(W)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  for (genvar i = 0; i < COPIES; i++) begin : gen_out
    logic [1:0] level;
    logic pop;
    assign pop = m_axis_tvalid[i] && m_axis_tready[i];
    fv_sink #(
      .W(W),
      .REGISTERED(1'b0)
    ) u_sink (
      .clk, .rst, .after_reset,
      .tdata(m_axis_tdata[i*W+:W]), .tvalid(m_axis_tvalid[i]), .tready(m_axis_tready[i])
    );
    fv_order #(
      .UNIT(W),
      .MOST(1),
      .LATENCY(0),
      .THROUGH(1'b1)
    ) u_order (
      .clk, .rst, .pick, .which('0), .push, .push_data(s_axis_tdata),
      .valid(m_axis_tvalid[i]), .pop, .pop_data(m_axis_tdata[i*W+:W]), .level
    );
    // taken: this output has its copy, or takes it now
    `FV_ASSERT(taken_when_it_has, rst || !(s_axis_tvalid && s_axis_tready) || level + 2'(push) == 2'(pop))
    `FV_COVER_POINT(alone, !rst && pop && m_axis_tready == COPIES'(1) << i)
  end
  // No deadlock: with every output ready at some time since it was offered, the beat is taken.
  logic [COPIES-1:0] been_ready_q;
  always_ff @(posedge clk) been_ready_q <= (rst || !s_axis_tvalid || s_axis_tready) ? '0 : been_ready_q | m_axis_tready;
  `FV_ASSERT(taken_when_all_were_ready, rst || !s_axis_tvalid || !(&(been_ready_q | m_axis_tready)) || s_axis_tready)
  `FV_ASSERT(full_rate, rst || !s_axis_tvalid || !(&m_axis_tready) || s_axis_tready)
  `FV_COVER_POINT(in_turn, !rst && s_axis_tvalid && s_axis_tready && m_axis_tready == COPIES'(1))
endmodule

`default_nettype wire
