// bvit_multi_pool: the sums. For all pixels, every output of the first frames is that of the four windows around its
// position: one position is watched, any one, and what each beat that goes in adds to it is summed up beside.
`include "fv.svh"
`default_nettype none

module fv_multi_pool #(
  parameter int A = 2,      // rows of the grid
  parameter int B = 2,      // columns
  parameter int FRAMES = 2  // that are watched
) (
  input wire logic       clk,
  input wire logic       rst,
  input wire logic [1:0] s_axis_tdata,
  input wire logic       s_axis_tvalid,
  input wire logic       m_axis_tready,
  input wire logic [5:0] watch           // taken in reset: frame, row and column
);
  // As in the files: bias, c_h5, c_h3 and c_w5, c_w3; where both windows cover the same, the sum of their two.
  localparam int BIAS = 1, H3 = 1, H5 = -2, W3 = -1, W5 = 3, SHIFT = 1, HIGH = 3;
  localparam int PLACE = 3;  // bits of a row's or column's number, which may go below zero
  logic after_reset, s_axis_tready, m_axis_tvalid;
  logic [2:0] m_axis_tdata;
  bvit_multi_pool #(
    .HEIGHT(A), .WIDTH(B), .CHANNELS(1), .IN_BITS(2), .COEF_BITS(3), .BIAS_BITS(4), .OUT_SHIFT(SHIFT), .OUT_BITS(3),
    .PE(1), .USE_DSP(1'b0), .V_FILE(A > 2 ? "pool_v5.mem" : "pool_v3.mem"),
    .W_FILE(B > 2 ? "pool_w5.mem" : "pool_w3.mem")
  ) dut (.*);

  logic [1:0] frame_w, row_w, column_w;
  always_ff @(posedge clk) if (rst) {frame_w, row_w, column_w} <= watch;

  logic take, give, due;
  logic [1:0] frame_in, row_in, column_in, frame_out, row_out, column_out;
  assign take = s_axis_tvalid && s_axis_tready;
  assign give = m_axis_tvalid && m_axis_tready;
  fv_place #(.A(A), .B(B), .FRAMES(FRAMES)) u_in (
    .clk, .rst, .step(take), .frame(frame_in), .row(row_in), .column(column_in)
  );
  fv_place #(.A(A), .B(B), .FRAMES(FRAMES)) u_out (
    .clk, .rst, .step(give), .frame(frame_out), .row(row_out), .column(column_out)
  );
  assign due = m_axis_tvalid && int'(frame_out) < FRAMES
               && {frame_out, row_out, column_out} == {frame_w, row_w, column_w};

  logic signed [PLACE-1:0] down, right;
  int weight, wanted;
  logic signed [7:0] sum_q;
  assign down = PLACE'(row_in) - PLACE'(row_w);
  assign right = PLACE'(column_in) - PLACE'(column_w);
  always_comb begin
    weight = 0;
    if (column_in == column_w) begin
      if (down >= -1 && down <= 1) weight += H3;
      if (down >= -2 && down <= 2) weight += H5;
    end
    if (row_in == row_w) begin
      if (right >= -1 && right <= 1) weight += W3;
      if (right >= -2 && right <= 2) weight += W5;
    end
    wanted = (int'(sum_q) + BIAS) >>> SHIFT;
    if (wanted > HIGH) wanted = HIGH;
    else if (wanted < -HIGH - 1) wanted = -HIGH - 1;
  end
  always_ff @(posedge clk) begin
    if (rst) sum_q <= '0;
    else if (take && frame_in == frame_w) sum_q <= sum_q + 8'(weight * int'(signed'(s_axis_tdata)));
  end

  fv_reset u_reset (.*);
  fv_source #(.W(2)) u_source (
    .clk, .rst, .tdata(s_axis_tdata), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
  `FV_ASSERT(sum, rst || !due || int'(signed'(m_axis_tdata)) == wanted)
  `FV_COVER_POINT(last_position, !rst && due && int'(frame_w) == FRAMES - 1 && int'(row_w) == A - 1
                  && int'(column_w) == B - 1)
  `FV_COVER_POINT(rounded, !rst && due && wanted < 0 && sum_q[SHIFT-1:0] == '0)
endmodule

`default_nettype wire
