// The engine without its ports to DRAM: the memories, and the units that carry out COMPUTE, ATTEND, KEYS and VALUES.
//
// `start` begins the command, which stays until `done`: a pulse when all that it writes is written. `load_we` writes a
// beat of PORT bits: the columns from `load_slice` beats on of word `load_addr` of a memory; of bits and values between
// commands only, of weights not beside KEYS and VALUES, of others what the command does not need. `store_data` is beat
// `store_slice` of word `store_addr` of values, three cycles behind both, between commands.
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
  localparam int SLICES = PORT / 64;                 // of 64 bits in a beat
  localparam int VALUE_BEATS = (TOKENS * LANE_BEATS + SLICES - 1) / SLICES;
  localparam int START = 6;     // from a fired turn to its first slot
  localparam int DRAIN = 24;    // from the last fired turn to the last write, beside the turn itself

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
  always_ff @(posedge clk) begin
    if (attend) slots <= 16'd1;
    else if (tap_count > out_bytes) slots <= tap_count;
    else slots <= (out_bytes == '0) ? 16'd1 : out_bytes;
    groups <= attend ? 8'(GROUPS) : command[AT_GROUPS+:8];
  end

  // What has the ports of the memories
  logic running_q, computes, moves;
  assign computes = running_q && compute;
  assign moves = running_q && (keys || transpose);

  // Memories
  logic [TOKENS-1:0][OCTETS-1:0] bits_we;
  logic [15:0] bits_waddr, bits_raddr, steps_bits_raddr, mover_bits_raddr;
  logic [TOKENS-1:0][COLUMNS-1:0] bits_wdata, bits;
  bvit_engine_ram #(
    .DEPTH(BITS),
    .COLUMN(OCTET),
    .COLUMNS(TOKENS * OCTETS)
  ) u_bits (
    .clk,
    .we(bits_we),
    .waddr(bits_waddr),
    .wdata(bits_wdata),
    .raddr(bits_raddr),
    .rdata(bits)
  );
  assign bits_raddr = moves ? mover_bits_raddr : steps_bits_raddr;

  logic [TOKENS-1:0][CHANNELS-1:0] values_we;
  logic [15:0] values_waddr, values_raddr, vector_values_raddr;
  logic [TOKENS-1:0][CHANNELS-1:0][7:0] values_wdata, values;
  bvit_engine_ram #(
    .DEPTH(VALUES),
    .COLUMN(8),
    .COLUMNS(TOKENS * CHANNELS),
    .ULTRA(ULTRA)
  ) u_values (
    .clk,
    .we(values_we),
    .waddr(values_waddr),
    .wdata(values_wdata),
    .raddr(values_raddr),
    .rdata(values)
  );
  assign values_raddr = computes ? vector_values_raddr : store_addr;
  logic [2:0][7:0] store_beat;
  bvit_engine_stages #(
    .WIDTH(8),
    .STEPS(2)
  ) u_store_beat (
    .clk,
    .rst,
    .d(store_slice),
    .q(store_beat)
  );
  logic [VALUE_BEATS-1:0][PORT-1:0] value_beats;
  assign value_beats = (VALUE_BEATS*PORT)'(values);
  always_ff @(posedge clk) begin
    store_data <= '0;
    for (int beat = 0; beat < VALUE_BEATS; beat++) begin
      if (store_beat[2] == 8'(beat)) store_data <= value_beats[beat];
    end
  end

  logic [ROWS-1:0] weights_we, mover_we;
  logic [15:0] weights_waddr, weights_raddr, mover_waddr;
  logic [ROWS-1:0][COLUMNS-1:0] weights_wdata, weights, mover_wdata;
  bvit_engine_ram #(
    .DEPTH(WEIGHTS),
    .COLUMN(COLUMNS),
    .COLUMNS(ROWS)
  ) u_weights (
    .clk,
    .we(weights_we),
    .waddr(weights_waddr),
    .wdata(weights_wdata),
    .raddr(weights_raddr),
    .rdata(weights)
  );

  logic [CHANNELS/2-1:0] params_we;
  logic [3:0][15:0] param_raddr, vector_param_raddr;
  logic [15:0] rule_param_raddr;
  logic [3:0][CHANNELS-1:0][31:0] params;
  for (genvar copy = 0; copy < 4; copy++) begin : gen_params
    bvit_engine_ram #(
      .DEPTH(PARAMS),
      .COLUMN(64),
      .COLUMNS(CHANNELS / 2)
    ) u_params (
      .clk,
      .we(params_we),
      .waddr(load_addr),
      .wdata({(CHANNELS/2/SLICES){load_data}}),
      .raddr(param_raddr[copy]),
      .rdata(params[copy])
    );
  end
  assign param_raddr = {attend ? rule_param_raddr : vector_param_raddr[3], vector_param_raddr[2:0]};

  logic [15:0] step_raddr, tap_raddr;
  logic [63:0] step, tap;
  bvit_engine_ram #(
    .DEPTH(STEPS),
    .COLUMN(64),
    .COLUMNS(1)
  ) u_steps (
    .clk,
    .we(load_we && load_memory == 3'(MEMORY_STEPS)),
    .waddr(load_addr),
    .wdata(load_data[63:0]),
    .raddr(step_raddr),
    .rdata(step)
  );
  bvit_engine_ram #(
    .DEPTH(TAPS),
    .COLUMN(64),
    .COLUMNS(1)
  ) u_taps (
    .clk,
    .we(load_we && load_memory == 3'(MEMORY_TAPS)),
    .waddr(load_addr),
    .wdata(load_data[63:0]),
    .raddr(tap_raddr),
    .rdata(tap)
  );

  // Matrix unit
  logic go_steps, valid, first, last, double, ones, fire, steps_busy, sums_change;
  logic [7:0] mask;
  logic [TOKENS-1:0][ROWS-1:0][SUM-1:0] sums;
  bvit_engine_steps #(
    .GAP(4 + $clog2(CHANNELS))
  ) u_steps_unit (
    .clk,
    .rst,
    .start(go_steps),
    .twice(attend),
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
    .load(go_steps),
    .go(fired[START]),
    .twice(attend),
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
  logic odd;
  assign odd = GROUPS > 1 && group_at[6][0];
  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    logic [GROUPS-1:0][CHANNELS-1:0][SUM-1:0] by_group;
    assign by_group = sums[token];
    always_ff @(posedge clk) begin
      for (int i = 0; i < 2; i++) begin
        if (step_count == '0) group_sums_q[i][token] <= '0;
        else if (PAIRS == 1) group_sums_q[i][token] <= by_group[i%GROUPS];
        else group_sums_q[i][token] <= by_group[{group_at[5][PAIR_BITS:1], 1'(i)}];
      end
    end
  end

  // Vector unit
  logic [CHANNELS-1:0] vector_we;
  logic [15:0] vector_waddr, vector_bits_waddr, rule_bits_waddr;
  logic [TOKENS-1:0][CHANNELS-1:0][7:0] vector_wdata;
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
    .odd,
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

  // What is written, in registers: a unit's results, or a beat from DRAM.
  logic bits_from_unit;
  logic [15:0] octet_addr;
  logic [TOKENS-1:0][CHANNELS-1:0] octets;
  assign bits_from_unit = vector_bits_we || rule_bits_we;
  assign octet_addr = attend ? rule_bits_waddr : vector_bits_waddr;
  assign octets = attend ? rule_bits : vector_bits;
  always_ff @(posedge clk) begin
    bits_waddr <= bits_from_unit ? octet_addr >> 3 : load_addr;
    values_waddr <= computes ? vector_waddr : load_addr;
    for (int token = 0; token < TOKENS; token++) begin
      for (int octet = 0; octet < OCTETS; octet++) begin
        bits_we[token][octet] <= !rst && (bits_from_unit
            ? octet / LANE_BEATS == 32'(octet_addr[2:0]) / LANE_BEATS
            : load_we && load_memory == 3'(MEMORY_BITS) && load_slice == 8'(token / SLICES));
        bits_wdata[token][octet*8+:8] <=
            bits_from_unit ? octets[token][octet%LANE_BEATS*8+:8] : load_data[token%SLICES*64+octet*8+:8];
      end
      for (int channel = 0; channel < CHANNELS; channel++) begin
        values_we[token][channel] <= !rst && (computes ? vector_we[channel]
            : load_we && load_memory == 3'(MEMORY_VALUES)
              && load_slice == 8'((token * LANE_BEATS + channel / OCTET) / SLICES));
        values_wdata[token][channel] <= computes ? vector_wdata[token][channel]
            : load_data[(token*LANE_BEATS+channel/OCTET)%SLICES*64+channel%OCTET*8+:8];
      end
    end
    weights_waddr <= moves ? mover_waddr : load_addr;
    for (int row = 0; row < ROWS; row++) begin
      weights_we[row] <= !rst && (moves ? mover_we[row]
          : load_we && load_memory == 3'(MEMORY_WEIGHTS) && load_slice == 8'(row / SLICES));
      weights_wdata[row] <= moves ? mover_wdata[row] : load_data[row%SLICES*64+:64];
    end
  end
  for (genvar slice = 0; slice < CHANNELS / 2; slice++) begin : gen_params_we
    assign params_we[slice] = load_we && load_memory == 3'(MEMORY_PARAMS) && load_slice == 8'(slice / SLICES);
  end

  // The command's end: nothing is under way any more.
  localparam int LEFT_BITS = $clog2(DRAIN + 1);
  logic begun_q, start_q, busy, turn_busy_q;
  logic [LEFT_BITS-1:0] left_q;
  assign go_steps = attend ? rule_ready : start_q && compute;
  assign busy = steps_busy || mover_busy || turn_busy_q || (|fired);
  always_ff @(posedge clk) begin
    if (rst) begin
      running_q <= 1'b0;
      start_q <= 1'b0;
      turn_busy_q <= 1'b0;
    end else begin
      start_q <= start;
      turn_busy_q <= turn_valid;
      if (start) running_q <= 1'b1;
      else if (done) running_q <= 1'b0;
    end
    if (start) begun_q <= !attend;
    else if (rule_ready) begun_q <= 1'b1;
    if (start || start_q || busy || !begun_q) left_q <= LEFT_BITS'(DRAIN);
    else if (left_q != '0) left_q <= left_q - 1'b1;
  end
  assign done = running_q && begun_q && !start && !start_q && left_q == '0;
  logic unused;
  assign unused = ^{sums_change, store_beat, step_tags, group_at};
endmodule

`default_nettype wire
