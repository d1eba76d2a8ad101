// Goes through the groups of each turn, and through the slots of each group: what the vector unit, and the row rule,
// do in every cycle. bvit_engine_steps fires a turn when the one before has ended.
//
// Outputs come two cycles behind `go`, slot by slot. Addresses are those of the turn's views plus the group's distance.
`default_nettype none

module bvit_engine_turns (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic        load,          // the command begins
  input  wire logic        go,            // a turn begins
  input  wire logic        twice,
  input  wire logic [15:0] n0,
  input  wire logic [15:0] n1,
  input  wire logic [15:0] n2,
  input  wire logic [15:0] slots,
  input  wire logic [7:0]  groups,
  input  wire logic [15:0] tap_base,
  input  wire logic [15:0] tap_count,
  input  wire logic [3:0][63:0] operands,
  input  wire logic [3:0][15:0] operand_groups,
  input  wire logic [63:0] values_view,
  input  wire logic [15:0] values_group,
  input  wire logic [63:0] bits_view,
  input  wire logic [15:0] bits_group,
  input  wire logic [15:0] param_base,
  input  wire logic [15:0] param_stride,
  input  wire logic [15:0] param_group,
  output      logic        valid,
  output      logic        first,         // the group's first slot
  output      logic        last,          // its last
  output      logic        tap,           // there is a tap in this slot
  output      logic [7:0]  group,
  output      logic [15:0] inner,         // index of the inner loop
  output      logic        again,         // the inner loop's second run
  output      logic        opens,         // the inner loop's first turn and its first group
  output      logic        closes,        // its last turn and the last group
  output      logic [15:0] tap_raddr,
  output      logic [3:0][15:0] operand_addr,
  output      logic [15:0] values_addr,
  output      logic [15:0] bits_addr,
  output      logic [15:0] param_addr
);
  localparam int VIEWS = 7;

  logic busy_q, slot_last, group_last, turn_end;
  logic [15:0] slot_q;
  logic [7:0] group_q;
  // Which slot and which group are the last is found a cycle before.
  logic [15:0] slots_less_q;
  logic [7:0] groups_less_q;
  logic slots_one_q, groups_one_q, slot_last_q, group_last_q;
  assign slot_last = slot_last_q;
  assign group_last = group_last_q;
  assign turn_end = busy_q && slot_last && group_last;
`ifndef SYNTHESIS
  /* verilator lint_off PROCASSINIT */
  logic known_q = 1'b0;  // there was a reset
  /* verilator lint_on PROCASSINIT */
`endif
  always_ff @(posedge clk) begin
    if (rst) busy_q <= 1'b0;
    else if (go) busy_q <= 1'b1;
    else if (turn_end) busy_q <= 1'b0;
    slots_less_q <= slots - 16'd2;
    slots_one_q <= slots == 16'd1;
    groups_less_q <= groups - 8'd2;
    groups_one_q <= groups == 8'd1;
    if (go) begin
      slot_q <= '0;
      group_q <= '0;
      slot_last_q <= slots_one_q;
      group_last_q <= groups_one_q;
    end else if (slot_last) begin
      slot_q <= '0;
      group_q <= group_q + 8'd1;
      slot_last_q <= slots_one_q;
      group_last_q <= group_q == groups_less_q;
    end else begin
      slot_q <= slot_q + 16'd1;
      slot_last_q <= slot_q == slots_less_q;
    end
`ifndef SYNTHESIS
    if (known_q && !rst && go && busy_q) begin
      assert (turn_end) else $error("bvit_engine_turns: a turn begins before the one before has ended");
    end
    known_q <= known_q || rst;
`endif
  end

  logic [1:0] level;
  logic [15:0] inner_now;
  logic inner_last, again_now, loops_last;
  bvit_engine_loops u_loops (
    .clk,
    .load,
    .next(turn_end),
    .twice,
    .n0,
    .n1,
    .n2,
    .inner(inner_now),
    .inner_last,
    .again(again_now),
    .level,
    .last(loops_last)
  );

  logic [VIEWS-1:0][63:0] views;
  logic [VIEWS-1:0][15:0] distances, addrs_q;
  assign views = {32'd0, param_stride, param_base, bits_view, values_view, operands};
  assign distances = {param_group, bits_group, values_group, operand_groups};
  for (genvar i = 0; i < VIEWS; i++) begin : gen_view
    logic [15:0] at, beyond_q;
    bvit_engine_view u_view (
      .clk,
      .load,
      .next(turn_end),
      .level,
      .view(views[i]),
      .addr(at)
    );
    always_ff @(posedge clk) begin
      if (go) beyond_q <= '0;
      else if (slot_last) beyond_q <= beyond_q + distances[i];
      addrs_q[i] <= at + beyond_q;
    end
  end
  assign {param_addr, bits_addr, values_addr, operand_addr} = addrs_q;

  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else valid <= busy_q;
    first <= slot_q == '0;
    last <= slot_last;
    tap <= slot_q < tap_count;
    group <= group_q;
    inner <= inner_now;
    again <= again_now;
    opens <= inner_now == '0 && group_q == '0;
    closes <= inner_last && group_last;
    tap_raddr <= tap_base + slot_q;
  end
  logic unused;
  assign unused = loops_last;
endmodule

`default_nettype wire
