// One stream to several: each output takes its copy of a beat when it likes.
//
// The outputs are packed: output i is bit i of m_axis_tvalid and m_axis_tready, and bits
// [i*W +: W] of m_axis_tdata.
// Full rate; latency 0. valid is combinational on the input's valid, the input's ready on the
// outputs' readies; valid never depends on ready, so there is no combinational loop. The beat waits
// at the input until the last output has taken it; a bit for each output remembers who has.
`default_nettype none

module bvit_duplicate #(
  parameter int W = 8,
  parameter int COPIES = 2
) (
  input  wire logic                clk,
  input  wire logic                rst,
  input  wire logic [W-1:0]        s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output logic                     s_axis_tready,
  output logic [COPIES-1:0][W-1:0] m_axis_tdata,
  output logic [COPIES-1:0]        m_axis_tvalid,
  input  wire logic [COPIES-1:0]   m_axis_tready
);
  if (W < 1 || COPIES < 2) begin : gen_illegal
    $error("bvit_duplicate: W=%0d must be 1 or more, COPIES=%0d 2 or more", W, COPIES);
  end

  logic [COPIES-1:0] taken_q;  // outputs that already have the beat at the input
  logic [COPIES-1:0] has;      // outputs that have it or take it now
  assign has = taken_q | m_axis_tready;
  assign s_axis_tready = &has;
  assign m_axis_tdata = {COPIES{s_axis_tdata}};
  assign m_axis_tvalid = {COPIES{s_axis_tvalid}} & ~taken_q;
  always_ff @(posedge clk) begin
    if (rst) taken_q <= '0;
    else if (s_axis_tvalid) taken_q <= s_axis_tready ? '0 : has;
  end
endmodule

`default_nettype wire
