// The vector unit: TOKENS x CHANNELS lanes that add up taps, one tap a cycle, for a group of channels at a time.
//
// In each slot of a group there is a tap or none: a byte of a word of values, from the token `lane` further on, or the
// matrix unit's sum. What bvit_engine_turns says goes through the pipeline with it; the comments name the cycle behind
// `valid` in which a signal is there. Parameters are read from four copies of their memory, each where it is needed.
// A group's result goes to bits in the next cycle, and to values by bvit_engine_values_out.
`default_nettype none

module bvit_engine_vector #(
  parameter int TOKENS = 7,
  parameter int CHANNELS = 8,
  localparam int SUM = bvit_engine_pkg::SUM_BITS
) (
  input  wire logic        clk,
  input  wire logic        rst,
  // from bvit_engine_turns, cycle 0
  input  wire logic        valid,
  input  wire logic        first,
  input  wire logic        last,
  input  wire logic        tap_valid,
  input  wire logic [3:0][15:0] operand_addr,
  input  wire logic [15:0] values_addr,
  input  wire logic [15:0] bits_addr,
  input  wire logic [15:0] param_addr,
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic [63:0] tap,              // cycle 2; not all bits mean something
  /* verilator lint_on UNUSEDSIGNAL */
  // memories
  output      logic [15:0] values_raddr,     // cycle 3
  input  wire logic [TOKENS-1:0][CHANNELS-1:0][7:0] values,  // cycle 5
  output      logic [3:0][15:0] param_raddr,   // bias, bias2, slope and threshold, coefficient
  input  wire logic [3:0][CHANNELS-1:0][31:0] params,
  input  wire logic [1:0][TOKENS-1:0][CHANNELS-1:0][SUM-1:0] sums,  // cycle 6, of two groups: halves
  input  wire logic        odd,              // cycle 5: which of them it is
  // of the command
  input  wire logic        prelu,
  input  wire logic [4:0]  mid_shift,        // 0, 4, 8, 12
  input  wire logic [3:0]  slope_shift,
  input  wire logic [4:0]  out_shift,        // 0, 8, 12, 16
  input  wire logic [5:0]  out_bits,
  input  wire logic [2:0]  out_bytes,
  input  wire logic [2:0]  out_fold,
  input  wire logic [15:0] fold_base,
  input  wire logic [1:0]  bit_mode,
  input  wire logic [7:0]  lanes,
  // results
  output      logic        writes,              // values_we is up in two cycles
  output      logic [CHANNELS-1:0] values_we,   // of each token
  output      logic [15:0] values_waddr,
  output      logic [TOKENS-1:0][CHANNELS-1:0][7:0] values_wdata,
  output      logic        bits_we,
  output      logic [15:0] bits_waddr,          // in octets
  output      logic [TOKENS-1:0][CHANNELS-1:0] bits_wdata
);
  localparam int TOKEN_BITS = (TOKENS > 1) ? $clog2(TOKENS) : 1;
  localparam int TURNS = (TOKEN_BITS + 1) / 2;
  localparam int FACTOR = bvit_engine_pkg::FACTOR_BITS;
  localparam int WIDTH = bvit_engine_pkg::RESULT_BITS;
  localparam int COMPARE = bvit_engine_pkg::COMPARE_BITS;
  localparam int ADDS = 8;      // cycle in which a tap is added
  localparam int SLOPE = 9;
  localparam int BEHIND = 11;   // cycle in which the bias behind the PReLU is added
  localparam int RESULT = 15;   // cycle in which the last tap's result is there

  // What goes along
  logic [RESULT:0][3:0] flags;
  bvit_engine_stages #(
    .WIDTH(4),
    .STEPS(RESULT),
    .RESET(1'b1)
  ) u_flags (
    .clk,
    .rst,
    .d({valid, first, last, tap_valid}),
    .q(flags)
  );
  logic [BEHIND-2:0][15:0] record;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(BEHIND - 2)
  ) u_record (
    .clk,
    .rst,
    .d(param_addr),
    .q(record)
  );

  // Cycles 2 and 3: the tap; where its operand and its coefficient lie
  logic [2:0][63:0] operand_at;
  bvit_engine_stages #(
    .WIDTH(64),
    .STEPS(2)
  ) u_operands (
    .clk,
    .rst,
    .d(operand_addr),
    .q(operand_at)
  );
  logic [3:0][15:0] operand_now;
  assign operand_now = operand_at[2];
  logic [15:0] coef_raddr;
  always_ff @(posedge clk) begin
    values_raddr <= operand_now[tap[17:16]] + tap[15:0];
    coef_raddr <= record[2] + 16'd3 + 16'(tap[43:41]);
  end
  assign param_raddr[0] = record[ADDS-2];
  assign param_raddr[1] = record[BEHIND-2] + 16'd1;
  assign param_raddr[2] = record[SLOPE-2] + 16'd2;
  assign param_raddr[3] = coef_raddr;

  // Of the tap, from cycle 2 on
  localparam int MATRIX_AT = 0, PLAIN_AT = 1, HIGH_AT = 2, SIGNED_AT = 3, ODD_AT = 4, SHIFT_AT = 5, LANE_AT = 10;
  logic [4:0][17:0] told;
  bvit_engine_stages #(
    .WIDTH(18),
    .STEPS(4)
  ) u_told (
    .clk,
    .rst,
    .d({tap[31:24], tap[36:32], tap[40], tap[23], tap[54], tap[43:40] == 4'(bvit_engine_pkg::COEF_PLAIN), tap[18]}),
    .q(told)
  );

  // Cycle 5: how far on each token takes its byte, and whether there is one
  logic signed [7:0] distance;
  assign distance = told[2][LANE_AT+:8];
  logic [TOKEN_BITS-1:0] turned_q;
  logic [TOKENS-1:0] there_q;
  always_ff @(posedge clk) turned_q <= TOKEN_BITS'(distance[7] ? distance + 8'(TOKENS) : distance);
  for (genvar token = 0; token < TOKENS; token++) begin : gen_from
    logic signed [8:0] at;
    assign at = 9'(distance) + 9'(token);
    always_ff @(posedge clk) there_q[token] <= distance == '0 || (!at[8] && at[7:0] < lanes);
  end
  // The tokens turn around, by two bits of the distance after the other: a multiplexer of four is one LUT a bit.
  logic [TURNS:0][TOKENS-1:0][CHANNELS-1:0][7:0] turned;
  assign turned[0] = values;
  for (genvar stage = 0; stage < TURNS; stage++) begin : gen_turn
    for (genvar token = 0; token < TOKENS; token++) begin : gen_turn_token
      logic [3:0][CHANNELS-1:0][7:0] choices;
      for (genvar i = 0; i < 4; i++) begin : gen_choice
        assign choices[i] = turned[stage][(token+(i<<2*stage))%TOKENS];
      end
      assign turned[stage+1][token] = choices[2'(turned_q >> 2 * stage)];
    end
  end

  // Cycle 6: byte and coefficient. Cycle 7: the factor, which is 0 where there is no tap
  logic [TOKENS-1:0][CHANNELS-1:0][8:0] byte_q;
  logic [CHANNELS-1:0][15:0] coef_q;
  logic [CHANNELS-1:0][FACTOR-1:0] factor_q, slopes;
  logic takes;
  assign takes = flags[ADDS-2][3] && flags[ADDS-2][0];
  always_ff @(posedge clk) begin
    for (int channel = 0; channel < CHANNELS; channel++) begin
      coef_q[channel] <= told[3][PLAIN_AT] ? 16'd1
                       : told[3][ODD_AT] ? params[3][channel][31:16] : params[3][channel][15:0];
      for (int token = 0; token < TOKENS; token++) begin
        byte_q[token][channel] <= there_q[token]
            ? {told[3][SIGNED_AT] & turned[TURNS][token][channel][7], turned[TURNS][token][channel]} : 9'd0;
      end
      if (!takes) factor_q[channel] <= '0;
      else factor_q[channel] <= FACTOR'($signed(coef_q[channel])) << told[4][SHIFT_AT+:5];
    end
  end

  // The lanes; what they take, a byte or 256 times that, or which of the sums, is found a cycle before.
  logic matrix_q, second_q;
  always_ff @(posedge clk) begin
    matrix_q <= told[3][MATRIX_AT];
    second_q <= told[3][MATRIX_AT] ? odd : told[3][HIGH_AT];
  end
  logic [FACTOR-1:0] one_q;
  logic [WIDTH-1:0] above_q;
  logic [1:0] out_at_q;
  always_ff @(posedge clk) begin
    out_at_q <= (out_shift == '0) ? 2'd0 : 2'(out_shift[4:2] - 3'd1);
    one_q <= FACTOR'(1) << slope_shift;
    for (int i = 0; i < WIDTH; i++) above_q[i] <= 6'(i) + 6'd1 >= out_bits;
  end
  for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_slope
    assign slopes[channel] = prelu ? FACTOR'($signed(params[2][channel][15:0])) : one_q;
  end
  logic [TOKENS-1:0][CHANNELS-1:0][WIDTH-1:0] y;
  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_channel
      bvit_engine_lane u_lane (
        .clk,
        .sum0(sums[0][token][channel]),
        .sum1(sums[1][token][channel]),
        .byte_in(byte_q[token][channel]),
        .matrix(matrix_q),
        .second(second_q),
        .factor(factor_q[channel]),
        .first(flags[ADDS][2]),
        .bias(params[0][channel]),
        .slope(slopes[channel]),
        .bias2(params[1][channel]),
        .mid_shift(mid_shift[3:2]),
        .one(one_q),
        .out_shift(out_at_q),
        .above(above_q),
        .y(y[token][channel])
      );
    end
  end

  // Cycle 15: the result; its bits
  logic ends;
  assign ends = flags[RESULT][3] && flags[RESULT][1];
  logic [RESULT-SLOPE:0][CHANNELS-1:0][15:0] threshold;
  logic [CHANNELS-1:0][15:0] threshold_now;
  for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_threshold
    assign threshold_now[channel] = params[2][channel][31:16];
  end
  bvit_engine_stages #(
    .WIDTH(CHANNELS * 16),
    .STEPS(RESULT - SLOPE)
  ) u_threshold (
    .clk,
    .rst,
    .d(threshold_now),
    .q(threshold)
  );
  logic [RESULT:0][15:0] bits_at;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(RESULT)
  ) u_bits_at (
    .clk,
    .rst,
    .d(bits_addr),
    .q(bits_at)
  );
  logic [RESULT-1:0][15:0] values_at;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(RESULT - 1)
  ) u_values_at (
    .clk,
    .rst,
    .d(values_addr),
    .q(values_at)
  );
  always_ff @(posedge clk) begin
    if (rst) bits_we <= 1'b0;
    else bits_we <= ends && bit_mode != 2'(bvit_engine_pkg::BIT_NONE);
    bits_waddr <= bits_at[RESULT];
    for (int token = 0; token < TOKENS; token++) begin
      for (int channel = 0; channel < CHANNELS; channel++) begin
        bits_wdata[token][channel] <= (bit_mode == 2'(bvit_engine_pkg::BIT_THRESHOLD))
            ? $signed(y[token][channel][COMPARE-1:0]) >= COMPARE'($signed(threshold[RESULT-SLOPE][channel]))
            : y[token][channel][0];
      end
    end
  end

  bvit_engine_values_out #(
    .TOKENS(TOKENS),
    .CHANNELS(CHANNELS)
  ) u_values_out (
    .clk,
    .rst,
    .place(values_at[RESULT-1]),
    .ends,
    .y,
    .out_bytes,
    .out_fold,
    .fold_base,
    .writes,
    .values_we,
    .values_waddr,
    .values_wdata
  );
  logic unused;
  assign unused = ^{mid_shift, out_shift, flags, record, operand_at, told, threshold, bits_at, values_at};
endmodule

`default_nettype wire
