// Write address and occupancy of a two-frame buffer of keys or values.
//
// Tokens come in order, all HEADS heads of a token one after another; token j of KEYS lies in lane j
// mod LANES of group j div LANES. The last group's lanes behind the last token are never written.
// `step` says that one head of one token is written. A frame is `there` from the cycle after its last
// step on, and makes room again when the reader says `free` in the cycle of its last read. One step a
// cycle; every output is a function of registers.
`default_nettype none

module bvit_attention_slots #(
  parameter int KEYS = 4,
  parameter int HEADS = 1,
  parameter int LANES = 4,
  localparam int GROUPS = (KEYS + LANES - 1) / LANES,
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1,
  localparam int GROUP_BITS = (GROUPS > 1) ? $clog2(GROUPS) : 1
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  step,
  input  wire logic                  free,
  output wire logic                  room,    // a word may be written
  output wire logic                  there,   // a whole frame may be read
  output wire logic [     LANES-1:0] lane,    // one-hot
  output wire logic [GROUP_BITS-1:0] group,
  output wire logic [ HEAD_BITS-1:0] head,
  output wire logic                  wslot,
  output wire logic                  rslot
);

  logic [HEAD_BITS-1:0] head_q;
  logic [LANES-1:0] lane_q;
  logic [GROUP_BITS-1:0] group_q;
  logic wslot_q, rslot_q;
  logic [1:0] count_q;  // whole frames held

  localparam int LAST = KEYS - (GROUPS - 1) * LANES - 1;  // lane of a frame's last token
  localparam bit SHORT = LAST != LANES - 1;

  logic token_done, group_done, frame_done;
  assign token_done = step && head_q == HEAD_BITS'(HEADS - 1);
  assign frame_done = token_done && lane_q[LAST] && group_q == GROUP_BITS'(GROUPS - 1);
  assign group_done = (token_done && lane_q[LANES-1]) || (SHORT && frame_done);

  if (LANES > 1) begin : gen_lanes
    always_ff @(posedge clk) begin
      if (rst || (SHORT && frame_done)) lane_q <= LANES'(1);
      else if (token_done) lane_q <= {lane_q[LANES-2:0], lane_q[LANES-1]};
    end
  end else begin : gen_lane
    assign lane_q = 1'b1;
  end

  always_ff @(posedge clk) begin
    if (rst) begin
      head_q <= '0;
      group_q <= '0;
      wslot_q <= 1'b0;
      rslot_q <= 1'b0;
      count_q <= '0;
    end else begin
      if (step) head_q <= token_done ? '0 : head_q + 1'b1;
      if (group_done) group_q <= frame_done ? '0 : group_q + 1'b1;
      if (frame_done) wslot_q <= !wslot_q;
      if (free) rslot_q <= !rslot_q;
      count_q <= count_q + 2'(frame_done) - 2'(free);
    end
  end

  assign room = !count_q[1];
  assign there = count_q != '0;
  assign lane = lane_q;
  assign group = group_q;
  assign head = head_q;
  assign wslot = wslot_q;
  assign rslot = rslot_q;

endmodule

`default_nettype wire
