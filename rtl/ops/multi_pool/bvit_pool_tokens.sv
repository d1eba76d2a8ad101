// The tokens of a row around the middle one: a line in which each step of a beat moves the beats of
// all of its taps by one.
//
// One beat a cycle; latency min(2, WIDTH-1) tokens from a beat to its time in the middle. The
// outputs are there in the cycle of the step whose beat is the rightmost, combinational on it and
// on registers. `s_edge` marks a beat whose left neighbour is not of the same row, `s_take` one
// that is a position at all; `m_take` is the middle one's. Neighbours that are not `*_valid` lie
// outside the grid, and their beats mean nothing. The marks in the line are not reset: after a
// reset they are what was fed in only when min(2, WIDTH-1) + 1 tokens of beats have been stepped
// through.
`default_nettype none

module bvit_pool_tokens #(
  parameter int WIDTH = 8,    // of the grid
  parameter int BEATS = 4,    // of a token
  parameter int BITS = 16,    // of a beat
  parameter bit BLOCK = 1'b0  // tokens in block RAM
) (
  input  wire logic            clk,
  input  wire logic            rst,
  input  wire logic            step,
  input  wire logic            s_take,
  input  wire logic            s_edge,
  input  wire logic [BITS-1:0] s_beat,
  output      logic            m_take,
  output      logic            left2_valid,
  output      logic            left1_valid,
  output      logic            right1_valid,
  output      logic            right2_valid,
  output      logic [BITS-1:0] left2,
  output      logic [BITS-1:0] left1,
  output      logic [BITS-1:0] mid,
  output      logic [BITS-1:0] right1,
  output      logic [BITS-1:0] right2
);
  localparam int REACH = (WIDTH > 2) ? 2 : WIDTH - 1;  // tokens to the left and right

  // Tap t is the token t steps of a token ago: tap REACH is the middle, tap 0 the rightmost.
  logic [BITS-1:0] tap[2*REACH+1];
  logic [2*REACH:0] tap_edge, tap_take;
  assign tap[0] = s_beat;
  assign tap_edge[0] = s_edge;
  assign tap_take[0] = s_take;
  assign mid = tap[REACH];
  assign m_take = tap_take[REACH];

  if (REACH > 0) begin : gen_near
    localparam int TAP_BITS = BITS + 2;
    logic [2*REACH*TAP_BITS-1:0] line_d, line_q;
    for (genvar t = 0; t < 2 * REACH; t++) begin : gen_tap
      assign line_d[t*TAP_BITS+:TAP_BITS] = {tap_take[t], tap_edge[t], tap[t]};
      assign {tap_take[t+1], tap_edge[t+1], tap[t+1]} = line_q[t*TAP_BITS+:TAP_BITS];
    end
    bvit_delay #(
      .WIDTH(2 * REACH * TAP_BITS),
      .STEPS(BEATS),
      .STYLE(int'(BLOCK))
    ) u_line (
      .clk, .rst, .en(step), .d(line_d), .q(line_q)
    );
    assign left1 = tap[REACH+1];
    assign right1 = tap[REACH-1];
    assign left1_valid = !tap_edge[REACH];
    assign right1_valid = !tap_edge[REACH-1];
  end else begin : gen_no_near
    assign left1 = '0;
    assign right1 = '0;
    assign left1_valid = 1'b0;
    assign right1_valid = 1'b0;
  end
  if (REACH > 1) begin : gen_far
    assign left2 = tap[2*REACH];
    assign right2 = tap[0];
    assign left2_valid = left1_valid && !tap_edge[REACH+1];
    assign right2_valid = right1_valid && !tap_edge[REACH-2];
  end else begin : gen_no_far
    assign left2 = '0;
    assign right2 = '0;
    assign left2_valid = 1'b0;
    assign right2_valid = 1'b0;
  end

  // The outermost marks, and in a grid of one column all but one.
  logic unused;
  assign unused = ^{tap_edge, tap_take, clk, rst, step, BLOCK};
endmodule

`default_nettype wire
