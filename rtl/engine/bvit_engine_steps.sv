// Goes through the turns of a command, and through the steps of each: which words the matrix unit takes, and when.
//
// One step a cycle. A turn's last step waits until the vector unit has had `slots` cycles for each of the `groups` of
// the turn before (and `gap` more behind the first run of an inner loop that runs twice), so that the vector unit may
// start `fire` a fixed time later, without asking. Without steps `fire` comes alone.
// From issue to `bits_raddr` four cycles: the step's address, two of its memory, the sum of view and step.
`default_nettype none

module bvit_engine_steps #(
  parameter int GAP = 6
) (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic        start,
  input  wire logic        twice,
  input  wire logic [15:0] n0,
  input  wire logic [15:0] n1,
  input  wire logic [15:0] n2,
  input  wire logic [15:0] step_base,
  input  wire logic [15:0] step_count,
  input  wire logic [15:0] slots,
  input  wire logic [7:0]  groups,
  input  wire logic [63:0] bits_view,
  input  wire logic [63:0] weights_view,
  output      logic [15:0] step_raddr,
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic [63:0] step,         // two cycles behind step_raddr; bits above 41 mean nothing
  /* verilator lint_on UNUSEDSIGNAL */
  output      logic [15:0] bits_raddr,
  output      logic [15:0] weights_raddr,
  // with bits_raddr
  output      logic        valid,
  output      logic        first,
  output      logic        last,
  output      logic        double,
  output      logic        ones,
  output      logic [7:0]  mask,
  output      logic        fire,         // a turn's last step is issued
  output      logic        busy
);
  localparam int GAP_BITS = $clog2(GAP + 1);

  logic active_q, issue, inner_last, again, loops_last;
  logic [15:0] index_q, slot_left_q;
  logic [7:0] group_left_q;
  logic [GAP_BITS-1:0] gap_left_q;
  logic [1:0] level;
  logic [15:0] inner;

  // Whether a count has ended, whether a step is the last, and whether one is issued: all is found a cycle before.
  logic [15:0] steps_less_q, slots_less_q;
  logic [7:0] groups_less_q;
  logic single_q, slots_one_q, groups_one_q, first_q, final_q, slots_end_q, groups_end_q, gap_end_q, free_q;
  logic active_d, final_d, free_d, issue_q, fire_q;
  always_ff @(posedge clk) begin
    steps_less_q <= step_count - 16'd2;
    single_q <= step_count <= 16'd1;
    slots_less_q <= slots - 16'd1;
    slots_one_q <= slots == 16'd1;
    groups_less_q <= groups - 8'd1;
    groups_one_q <= groups == 8'd1;
  end
  assign issue = issue_q;   // active, and not the last step unless the vector unit is free
  assign fire = fire_q;     // the last step
  always_comb begin
    active_d = start || (active_q && !(fire && loops_last));
    final_d = final_q;
    if (start) final_d = single_q;
    else if (issue) final_d = final_q ? single_q : index_q == steps_less_q;
    free_d = free_q;
    if (start) free_d = 1'b1;
    else if (fire) free_d = slots_one_q && groups_one_q && level != 2'd3;
    else if (!slots_end_q) free_d = slot_left_q == 16'd1 && groups_end_q && gap_end_q;
    else if (!groups_end_q) free_d = slots_one_q && group_left_q == 8'd1 && gap_end_q;
    else if (!gap_end_q) free_d = gap_left_q == GAP_BITS'(1);
  end
  assign busy = active_q;

  bvit_engine_loops u_loops (
    .clk,
    .load(start),
    .next(fire),
    .twice,
    .n0,
    .n1,
    .n2,
    .inner,
    .inner_last,
    .again,
    .level,
    .last(loops_last)
  );

  always_ff @(posedge clk) begin
    active_q <= !rst && active_d;
    issue_q <= !rst && active_d && (!final_d || free_d);
    fire_q <= !rst && active_d && final_d && free_d;
    final_q <= final_d;
    free_q <= free_d;
    if (start) begin
      index_q <= '0;
      first_q <= 1'b1;
    end else if (issue) begin
      first_q <= final_q;
      index_q <= final_q ? '0 : index_q + 16'd1;
    end
    // The time that the vector unit takes for the turn that was fired.
    if (start) begin
      slots_end_q <= 1'b1;
      groups_end_q <= 1'b1;
      gap_end_q <= 1'b1;
    end else if (fire) begin
      slot_left_q <= slots_less_q;
      slots_end_q <= slots_one_q;
      group_left_q <= groups_less_q;
      groups_end_q <= groups_one_q;
      gap_left_q <= GAP_BITS'(GAP);
      gap_end_q <= level != 2'd3;
    end else if (!slots_end_q) begin
      slot_left_q <= slot_left_q - 16'd1;
      slots_end_q <= slot_left_q == 16'd1;
    end else if (!groups_end_q) begin
      slot_left_q <= slots_less_q;
      slots_end_q <= slots_one_q;
      group_left_q <= group_left_q - 8'd1;
      groups_end_q <= group_left_q == 8'd1;
    end else if (!gap_end_q) begin
      gap_left_q <= gap_left_q - 1'b1;
      gap_end_q <= gap_left_q == GAP_BITS'(1);
    end
    step_raddr <= step_base + index_q;
  end

  // Three cycles later there is the step's word; the views follow then.
  logic [3:0][4:0] flags;  // last step, first step, step, level
  bvit_engine_stages #(
    .WIDTH(5),
    .STEPS(3),
    .RESET(1'b1)
  ) u_flags (
    .clk,
    .rst,
    .d({fire, issue && first_q, issue && step_count != '0, level}),
    .q(flags)
  );
  logic turn, opens, takes;
  logic [1:0] turn_level;
  assign {turn, opens, takes, turn_level} = flags[3];

  logic [15:0] bits_at, weights_at;
  bvit_engine_view u_bits (
    .clk,
    .load(start),
    .next(turn),
    .level(turn_level),
    .view(bits_view),
    .addr(bits_at)
  );
  bvit_engine_view u_weights (
    .clk,
    .load(start),
    .next(turn),
    .level(turn_level),
    .view(weights_view),
    .addr(weights_at)
  );
  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else valid <= takes;
    first <= opens;
    last <= turn;
    bits_raddr <= bits_at + step[15:0];
    weights_raddr <= weights_at + step[31:16];
    mask <= step[39:32];
    ones <= step[40];
    double <= step[41];
  end
  logic unused;
  assign unused = ^{flags, inner, inner_last, again};
endmodule

`default_nettype wire
