// The engine without its ports to DRAM: the memories, and the units that carry out COMPUTE, ATTEND, KEYS and VALUES.
//
// `start` begins the command, which stays until `done`, a pulse. The next one may begin in the cycle behind it: what
// units still write then is there before that one reads. `idle`: all is written, and no command is under way.
// `load_we` writes a beat of PORT bits: the columns from `load_slice` beats on of word `load_addr` of a memory; of bits
// while `idle` only, of values not two cycles behind `writes`, of weights not beside KEYS and VALUES; what the command
// does not need.
// `store_data` is beat `store_slice` of word `store_addr` of values, three cycles behind both, while `idle`.
`default_nettype none

module bvit_engine_core #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  parameter int BITS = 1024,      // words of the memories
  parameter int VALUES = 4096,
  parameter int WEIGHTS = 1024,
  parameter int PARAMS = 512,
  parameter int STEPS = 1024,
  parameter int TAPS = 1024,
  parameter int PORT = 64,        // bits of a beat
  parameter int ULTRA = 0,        // 1: values lie in UltraRAM
  parameter int USE_PRIMITIVES = 0  // see bvit_binary_mvau
) (
  input  wire logic        clk,
  input  wire logic        rst,
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic [bvit_engine_pkg::COMMAND_BITS-1:0] command,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire logic        start,
  output      logic        done,
  output      logic        idle,
  output      logic        writes,          // two cycles later the vector unit writes values
  input  wire logic        load_we,
  input  wire logic [2:0]  load_memory,
  input  wire logic [15:0] load_addr,
  input  wire logic [15:0] store_addr,
  input  wire logic [7:0]  load_slice,
  input  wire logic [PORT-1:0] load_data,
  input  wire logic [7:0]  store_slice,
  output      logic [PORT-1:0] store_data
);
  import bvit_engine_pkg::*;

  localparam int SUM = SUM_BITS;
  localparam int GROUPS = ROWS / CHANNELS;
  localparam int LANE_BEATS = CHANNELS / OCTET;      // slices of a token in a word of values
  localparam int START = 6;     // from a fired turn to its first slot
  localparam int FOLDING = ($clog2(CHANNELS) - 1) / 2;   // see bvit_engine_values_out
  localparam int DRAIN = 24 + FOLDING;   // from the last fired turn to the last write, beside the turn itself
  // What of those may lie beside the next command: the vector unit has its last result before, and needs no field of
  // the command any more; it writes bits two cycles later, and values up to six and the cycles of the folds.
  localparam int BESIDE = 9 + FOLDING;

  if (ROWS % CHANNELS != 0 || CHANNELS % OCTET != 0 || ROWS > COLUMNS || TOKENS < 1 || TOKENS > COLUMNS
      || (PORT != 64 && PORT != 128) || CHANNELS < PORT / 8) begin : gen_bad
    $error("bvit_engine_core: TOKENS=%0d, ROWS=%0d, CHANNELS=%0d, PORT=%0d", TOKENS, ROWS, CHANNELS, PORT);
  end

  // The command's fields
  logic [7:0] kind;
  logic compute, attend, keys, transpose;
  logic [15:0] n0, n1, n2, step_count, tap_count, slots;
  logic [7:0] groups;
  assign kind = command[AT_KIND+:8];
  assign compute = kind == 8'(KIND_COMPUTE);
  assign attend = kind == 8'(KIND_ATTEND);
  assign keys = kind == 8'(KIND_KEYS);
  assign transpose = kind == 8'(KIND_VALUES);
  assign n0 = command[AT_N0+:16];
  assign n1 = command[AT_N1+:16];
  assign n2 = command[AT_N2+:16];
  assign step_count = command[AT_STEP_COUNT+:16];
  assign tap_count = command[AT_TAP_COUNT+:16];
  logic [15:0] out_bytes;
  assign out_bytes = 16'(command[AT_OUT_BYTES+:3]);
  // A group has as many cycles as taps, and as it takes to write it.
  logic attend_q;
  always_ff @(posedge clk) begin
    attend_q <= attend;
    if (attend) slots <= 16'd1;
    else if (tap_count > out_bytes) slots <= tap_count;
    else slots <= (out_bytes == '0) ? 16'd1 : out_bytes;
    groups <= attend ? 8'(GROUPS) : command[AT_GROUPS+:8];
  end

  // The memories. What a unit writes counts before what DRAM does.
  logic running_q;
  logic [15:0] bits_raddr, steps_bits_raddr, mover_bits_raddr, octet_addr;
  logic bits_from_unit;
  logic [TOKENS-1:0][COLUMNS-1:0] bits;
  logic [TOKENS-1:0][CHANNELS-1:0] octets;
  logic [CHANNELS-1:0] vector_we;
  logic [15:0] vector_values_raddr, vector_waddr;
  logic [TOKENS-1:0][CHANNELS-1:0][7:0] vector_wdata, values;
  logic moves;
  logic [ROWS-1:0] mover_we;
  logic [15:0] mover_waddr, weights_raddr;
  logic [ROWS-1:0][COLUMNS-1:0] mover_wdata, weights;
  logic [3:0][15:0] param_raddr, vector_param_raddr;
  logic [15:0] rule_param_raddr;
  logic [3:0][CHANNELS-1:0][31:0] params;
  logic [15:0] step_raddr, tap_raddr;
  logic [63:0] step, tap;
  assign moves = running_q && (keys || transpose);
  assign bits_raddr = moves ? mover_bits_raddr : steps_bits_raddr;
  assign param_raddr = {attend ? rule_param_raddr : vector_param_raddr[3], vector_param_raddr[2:0]};
  bvit_engine_memories #(
    .TOKENS(TOKENS),
    .ROWS(ROWS),
    .CHANNELS(CHANNELS),
    .BITS(BITS),
    .VALUES(VALUES),
    .WEIGHTS(WEIGHTS),
    .PARAMS(PARAMS),
    .STEPS(STEPS),
    .TAPS(TAPS),
    .PORT(PORT),
    .ULTRA(ULTRA)
  ) u_memories (
    .clk,
    .rst,
    .load_we,
    .load_memory,
    .load_addr,
    .load_slice,
    .load_data,
    .store_addr,
    .store_slice,
    .store_data,
    .octets_we(bits_from_unit),
    .octet_addr,
    .octets,
    .bits_raddr,
    .bits,
    .vector_reads(running_q && compute),
    .vector_raddr(vector_values_raddr),
    .vector_we,
    .vector_waddr,
    .vector_wdata,
    .values,
    .moves,
    .mover_we,
    .mover_waddr,
    .mover_wdata,
    .weights_raddr,
    .weights,
    .param_raddr,
    .params,
    .step_raddr,
    .step,
    .tap_raddr,
    .tap
  );

  // Matrix unit
  logic go_steps_q, valid, first, last, double, ones, fire, steps_busy, sums_change;
  logic [7:0] mask;
  logic [TOKENS-1:0][ROWS-1:0][SUM-1:0] sums;
  bvit_engine_steps #(
    .GAP(4 + $clog2(CHANNELS))
  ) u_steps_unit (
    .clk,
    .rst,
    .start(go_steps_q),
    .twice(attend_q),
    .n0,
    .n1,
    .n2,
    .step_base(command[AT_STEP_BASE+:16]),
    .step_count,
    .slots,
    .groups,
    .bits_view(command[AT_BITS_IN+:64]),
    .weights_view(command[AT_WEIGHTS+:64]),
    .step_raddr,
    .step,
    .bits_raddr(steps_bits_raddr),
    .weights_raddr,
    .valid,
    .first,
    .last,
    .double,
    .ones,
    .mask,
    .fire,
    .busy(steps_busy)
  );
  logic [2:0][12:0] step_tags;
  bvit_engine_stages #(
    .WIDTH(13),
    .STEPS(2),
    .RESET(1'b1)
  ) u_step_tags (
    .clk,
    .rst,
    .d({valid, first, last, double, ones, mask}),
    .q(step_tags)
  );
  bvit_engine_matrix #(
    .TOKENS(TOKENS),
    .ROWS(ROWS),
    .USE_PRIMITIVES(USE_PRIMITIVES)
  ) u_matrix (
    .clk,
    .rst,
    .valid(step_tags[2][12]),
    .first(step_tags[2][11]),
    .last(step_tags[2][10]),
    .double(step_tags[2][9]),
    .ones(step_tags[2][8]),
    .mask(step_tags[2][7:0]),
    .bits,
    .weights,
    .sums,
    .done(sums_change)
  );

  // Turns, group by group and slot by slot
  logic [START:0] fired;
  bvit_engine_stages #(
    .WIDTH(1),
    .STEPS(START),
    .RESET(1'b1)
  ) u_fired (
    .clk,
    .rst,
    .d(fire),
    .q(fired)
  );
  logic turn_valid, slot_first, slot_last, slot_tap, again, opens, closes;
  logic [7:0] group;
  logic [15:0] inner, values_addr, bits_addr, param_addr;
  logic [3:0][15:0] operand_addr;
  bvit_engine_turns u_turns (
    .clk,
    .rst,
    .load(go_steps_q),
    .go(fired[START]),
    .twice(attend_q),
    .n0,
    .n1,
    .n2,
    .slots,
    .groups,
    .tap_base(command[AT_TAP_BASE+:16]),
    .tap_count,
    .operands(command[AT_OPERAND0+:256]),
    .operand_groups(command[AT_GROUP0+:64]),
    .values_view(command[AT_VALUES_OUT+:64]),
    .values_group(command[AT_OUT_GROUP+:16]),
    .bits_view(command[AT_BITS_OUT+:64]),
    .bits_group(16'(LANE_BEATS)),
    .param_base(command[AT_PARAM_BASE+:16]),
    .param_stride(command[AT_PARAM_STRIDE+:16]),
    .param_group(command[AT_RECORD+:16]),
    .valid(turn_valid),
    .first(slot_first),
    .last(slot_last),
    .tap(slot_tap),
    .group,
    .inner,
    .again,
    .opens,
    .closes,
    .tap_raddr,
    .operand_addr,
    .values_addr,
    .bits_addr,
    .param_addr
  );

  // The group's sums, six cycles behind, with those of the one beside it; without steps they are 0. The units choose.
  logic [6:0][7:0] group_at;
  bvit_engine_stages #(
    .WIDTH(8),
    .STEPS(6)
  ) u_group_at (
    .clk,
    .rst,
    .d(group),
    .q(group_at)
  );
  localparam int PAIRS = (GROUPS + 1) / 2;
  localparam int PAIR_BITS = (PAIRS > 1) ? $clog2(PAIRS) : 1;
  logic [1:0][TOKENS-1:0][CHANNELS-1:0][SUM-1:0] group_sums_q;
  logic odd, odd_next, no_steps_q;
  assign odd_next = GROUPS > 1 && group_at[5][0];
  always_ff @(posedge clk) no_steps_q <= step_count == '0;
  assign odd = GROUPS > 1 && group_at[6][0];
  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    logic [GROUPS-1:0][CHANNELS-1:0][SUM-1:0] by_group;
    assign by_group = sums[token];
    always_ff @(posedge clk) begin
      for (int i = 0; i < 2; i++) begin
        if (no_steps_q) group_sums_q[i][token] <= '0;
        else if (PAIRS == 1) group_sums_q[i][token] <= by_group[i%GROUPS];
        else group_sums_q[i][token] <= by_group[{group_at[5][PAIR_BITS:1], 1'(i)}];
      end
    end
  end

  // Vector unit
  logic [15:0] vector_bits_waddr, rule_bits_waddr;
  logic vector_bits_we, rule_bits_we;
  logic [TOKENS-1:0][CHANNELS-1:0] vector_bits, rule_bits;
  bvit_engine_vector #(
    .TOKENS(TOKENS),
    .CHANNELS(CHANNELS)
  ) u_vector (
    .clk,
    .rst,
    .valid(turn_valid && compute),
    .first(slot_first),
    .last(slot_last),
    .tap_valid(slot_tap),
    .operand_addr,
    .values_addr,
    .bits_addr,
    .param_addr,
    .tap,
    .values_raddr(vector_values_raddr),
    .values,
    .param_raddr(vector_param_raddr),
    .params,
    .sums(group_sums_q),
    .odd(odd_next),
    .prelu(command[AT_PRELU]),
    .mid_shift(command[AT_MID_SHIFT+:5]),
    .slope_shift(command[AT_SLOPE_SHIFT+:4]),
    .out_shift(command[AT_OUT_SHIFT+:5]),
    .out_bits(command[AT_OUT_BITS+:6]),
    .out_bytes(command[AT_OUT_BYTES+:3]),
    .out_fold(command[AT_OUT_FOLD+:3]),
    .fold_base(command[AT_FOLD_BASE+:16]),
    .bit_mode(command[AT_BIT_MODE+:2]),
    .lanes(command[AT_LANES+:8]),
    .writes,
    .values_we(vector_we),
    .values_waddr(vector_waddr),
    .values_wdata(vector_wdata),
    .bits_we(vector_bits_we),
    .bits_waddr(vector_bits_waddr),
    .bits_wdata(vector_bits)
  );

  // Row rule
  logic rule_ready;
  bvit_engine_rule #(
    .TOKENS(TOKENS),
    .ROWS(ROWS),
    .CHANNELS(CHANNELS)
  ) u_rule (
    .clk,
    .rst,
    .start(start && attend),
    .ready(rule_ready),
    .param_base(command[AT_PARAM_BASE+:16]),
    .valid(turn_valid && attend),
    .group,
    .inner,
    .again,
    .opens,
    .closes,
    .bits_addr,
    .param_raddr(rule_param_raddr),
    .params(params[3]),
    .sums(group_sums_q),
    .odd,
    .bits_we(rule_bits_we),
    .bits_waddr(rule_bits_waddr),
    .bits_wdata(rule_bits)
  );

  // Mover
  logic mover_busy;
  bvit_engine_mover #(
    .TOKENS(TOKENS),
    .ROWS(ROWS)
  ) u_mover (
    .clk,
    .rst,
    .start(start && (keys || transpose)),
    .transpose,
    .slots(n0),
    .bits_base(command[AT_BITS_IN+:16]),
    .bits_stride(command[AT_BITS_IN+16+:16]),
    .weights_base(command[AT_WEIGHTS+:16]),
    .octet_first(command[AT_START+:4]),
    .octet_count(command[AT_COUNT+:4]),
    .busy(mover_busy),
    .bits_raddr(mover_bits_raddr),
    .bits,
    .weights_we(mover_we),
    .weights_waddr(mover_waddr),
    .weights_wdata(mover_wdata)
  );

  assign bits_from_unit = vector_bits_we || rule_bits_we;
  assign octet_addr = attend ? rule_bits_waddr : vector_bits_waddr;
  assign octets = attend ? rule_bits : vector_bits;

  // The command's end: the next one may begin, and nothing is under way any more.
  localparam int LEFT_BITS = $clog2(DRAIN + 1);
  logic begun_q, start_q, busy, turn_busy_q;
  logic [LEFT_BITS-1:0] left_q;
  assign busy = steps_busy || mover_busy || turn_busy_q || (|fired);
  always_ff @(posedge clk) begin
    if (rst) begin
      running_q <= 1'b0;
      start_q <= 1'b0;
      go_steps_q <= 1'b0;
      turn_busy_q <= 1'b0;
    end else begin
      start_q <= start;
      go_steps_q <= (start && compute) || rule_ready;
      turn_busy_q <= turn_valid;
      if (start) running_q <= 1'b1;
      else if (done) running_q <= 1'b0;
    end
    if (rst) begun_q <= 1'b1;
    else if (start) begun_q <= !attend;
    else if (go_steps_q) begun_q <= 1'b1;
    if (rst) left_q <= '0;
    else if (start || start_q || busy || !begun_q) left_q <= LEFT_BITS'(DRAIN);
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end
  assign done = running_q && begun_q && !start && !start_q && left_q <= (compute ? LEFT_BITS'(BESIDE) : '0);
  assign idle = !running_q && !start && left_q == '0;
  logic unused;
  assign unused = ^{sums_change, step_tags, group_at};
endmodule

`default_nettype wire
