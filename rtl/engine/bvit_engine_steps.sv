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

  logic active_q, issue, final_step, free, inner_last, again, loops_last;
  logic [15:0] index_q, slot_left_q;
  logic [7:0] group_left_q;
  logic [GAP_BITS-1:0] gap_left_q;
  logic [1:0] level;
  logic [15:0] inner;

  assign free = slot_left_q == '0 && group_left_q == '0 && gap_left_q == '0;
  assign final_step = step_count <= 16'd1 || index_q == step_count - 16'd1;
  assign issue = active_q && (!final_step || free);
  assign fire = issue && final_step;
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
    if (rst) active_q <= 1'b0;
    else if (start) active_q <= 1'b1;
    else if (fire && loops_last) active_q <= 1'b0;
    if (start) index_q <= '0;
    else if (issue) index_q <= final_step ? '0 : index_q + 16'd1;
    // The time that the vector unit takes for the turn that was fired.
    if (start) begin
      slot_left_q <= '0;
      group_left_q <= '0;
      gap_left_q <= '0;
    end else if (fire) begin
      slot_left_q <= slots - 16'd1;
      group_left_q <= groups - 8'd1;
      gap_left_q <= (twice && !again && inner_last) ? GAP_BITS'(GAP) : '0;
    end else if (slot_left_q != '0) begin
      slot_left_q <= slot_left_q - 16'd1;
    end else if (group_left_q != '0) begin
      slot_left_q <= slots - 16'd1;
      group_left_q <= group_left_q - 8'd1;
    end else if (gap_left_q != '0) begin
      gap_left_q <= gap_left_q - 1'b1;
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
    .d({fire, issue && index_q == '0, issue && step_count != '0, level}),
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
  assign unused = ^{flags, inner};
endmodule

`default_nettype wire
