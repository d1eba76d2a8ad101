// bvit_width_converter: order of the greatest common units, in all four kinds of ratio.
`include "fv.svh"
`default_nettype none

module fv_width_converter #(
  parameter int UNIT = 1,
  parameter int IN = 1,    // units of a beat in
  parameter int OUT = 2    // and out; without a common divisor
) (
  input wire logic               clk,
  input wire logic               rst,
  input wire logic               pick,
  input wire logic [7:0]         which,
  input wire logic [IN*UNIT-1:0] s_axis_tdata,
  input wire logic               s_axis_tvalid,
  input wire logic               m_axis_tready
);
  localparam bit THROUGH = IN == 1 || OUT == 1;  // no beat is stored whole: it counts from when it is offered
  localparam int MOST = THROUGH ? ((OUT > IN) ? OUT : IN) : IN * OUT;
  logic after_reset, s_axis_tready, m_axis_tvalid, push, offered_q;
  logic [OUT*UNIT-1:0] m_axis_tdata;
  /* verilator lint_off UNUSEDSIGNAL */
  logic [$clog2(MOST+IN+OUT+1)-1:0] level;
  /* verilator lint_on UNUSEDSIGNAL */

  bvit_width_converter #(
    .W_IN (IN * UNIT),
    .W_OUT(OUT * UNIT)
  ) dut (.*);

  always_ff @(posedge clk) offered_q <= !rst && s_axis_tvalid && !s_axis_tready;
  assign push = s_axis_tvalid && (THROUGH ? !offered_q : s_axis_tready);

  fv_reset u_reset (.*);
  fv_source #(.W(IN * UNIT)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  fv_sink #(
    .W(OUT * UNIT),
    .REGISTERED(!THROUGH)
  ) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  fv_order #(
    .UNIT(UNIT),
    .PUSH(IN),
    .POP(OUT),
    .MOST(MOST),
    .LATENCY(0),
    .THROUGH(THROUGH)
  ) u_order (
    .clk, .rst, .pick, .which, .push, .push_data(s_axis_tdata),
    .valid(m_axis_tvalid), .pop(m_axis_tvalid && m_axis_tready), .pop_data(m_axis_tdata), .level
  );
  // Refused at most while the parts of a beat go out.
  fv_progress #(.WAIT(IN)) u_progress (
    .clk, .rst, .tvalid(s_axis_tvalid), .tready(s_axis_tready), .outputs_ready(m_axis_tready)
  );
  // A beat that is taken has left whole, or its parts are kept (up) and counted.
  if (THROUGH && IN > 1) begin : gen_down
    `FV_ASSERT(taken_when_all_left, rst || !(s_axis_tvalid && s_axis_tready)
      || level + (push ? ($clog2(MOST + IN + OUT + 1))'(IN) : '0) == ($clog2(MOST + IN + OUT + 1))'(OUT))
  end
endmodule

`default_nettype wire
