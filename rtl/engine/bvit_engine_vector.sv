// The vector unit: TOKENS x CHANNELS lanes that add up taps, one tap a cycle, for a group of channels at a time.
//
// In each slot of a group there is a tap or none: a byte of a word of values, from the token `lane` further on, or the
// matrix unit's sum. What bvit_engine_turns says goes through the pipeline with it; the comments name the cycle behind
// `valid` in which a signal is there. Parameters are read from four copies of their memory, each where it is needed.
// A group's result is written byte by byte in the cycles behind it (a group has as many slots at least), and its bits.
// Sums of neighbours have two levels of adders a cycle, and values come that much later than bits.
`default_nettype none

module bvit_engine_vector #(
  parameter int TOKENS = 7,
  parameter int CHANNELS = 8,
  localparam int SUM = bvit_engine_pkg::SUM_BITS,
  localparam int FOLDS = $clog2(CHANNELS)
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
  localparam int FOLD = bvit_engine_pkg::FOLD_BITS;
  localparam int CHOICE_BITS = $clog2(FOLDS + 1);
  localparam int CHOICES = 1 << CHOICE_BITS;
  localparam int ADDS = 8;      // cycle in which a tap is added
  localparam int SLOPE = 9;
  localparam int BEHIND = 11;   // cycle in which the bias behind the PReLU is added
  localparam int RESULT = 15;   // cycle in which the last tap's result is there
  localparam int FOLDING = (FOLDS - 1) / 2;  // registers between levels of sums of neighbours
  localparam int WRITE = RESULT + FOLDING;   // cycle in which its neighbours are added up

  // What goes along
  logic [WRITE:0][3:0] flags;
  bvit_engine_stages #(
    .WIDTH(4),
    .STEPS(WRITE),
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

  // Where the result goes: with folds its place counts pieces of words. The command's fields come as late.
  logic [FOLDING:0][21:0] fields;
  bvit_engine_stages #(
    .WIDTH(22),
    .STEPS(FOLDING)
  ) u_fields (
    .clk,
    .rst,
    .d({out_bytes, out_fold, fold_base}),
    .q(fields)
  );
  logic [2:0] late_bytes, late_fold;
  logic [15:0] late_base;
  assign {late_bytes, late_fold, late_base} = fields[FOLDING];
  logic [WRITE:0][15:0] values_at;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(WRITE)
  ) u_values_at (
    .clk,
    .rst,
    .d(values_addr),
    .q(values_at)
  );
  logic [15:0] piece_word, word_q;
  logic [FOLDS-1:0] piece;
  assign piece_word = values_at[WRITE-2] >> late_fold;
  always_comb begin
    piece = '0;
    for (int fold = 1; fold <= FOLDS; fold++) begin
      if (32'(late_fold) == fold) piece = values_at[WRITE][FOLDS-1:0] & FOLDS'((1 << fold) - 1);
    end
  end
  logic [15:0] scaled_q;
  always_ff @(posedge clk) begin
    scaled_q <= 16'(piece_word * 16'(late_bytes));
    word_q <= (late_fold == '0) ? values_at[WRITE-1] : late_base + scaled_q;
  end

  // Sums of neighbours, of two bytes: level by level, each half as many. Every second level's are registers; all are
  // there, and the result as well, when the last level's are.
  logic [TOKENS-1:0][CHANNELS-1:0][WIDTH-1:FOLD] late_high;
  logic [TOKENS-1:0][CHANNELS-1:0][FOLD-1:0] folded;
  logic [CHANNELS-1:0] lane_we;
  for (genvar token = 0; token < TOKENS; token++) begin : gen_fold_token
    for (genvar fold = 0; fold <= FOLDS; fold++) begin : gen_fold
      localparam int COUNT = CHANNELS >> fold;
      localparam int LATE = FOLDING - ((fold == 0) ? 0 : (fold - 1) / 2);   // cycles until the last level's are there
      localparam int BITS = (fold == 0) ? WIDTH : FOLD;
      logic [COUNT-1:0][BITS-1:0] sum;
      logic [LATE:0][COUNT-1:0][BITS-1:0] sums_at;
      if (LATE > 0) begin : gen_late
        bvit_engine_stages #(
          .WIDTH(COUNT * BITS),
          .STEPS(LATE)
        ) u_sums (
          .clk,
          .rst,
          .d(sum),
          .q(sums_at)
        );
      end else begin : gen_now
        assign sums_at = sum;
      end
      logic unused;
      assign unused = ^sums_at;
      if (fold == 0) begin : gen_plain
        for (genvar i = 0; i < COUNT; i++) begin : gen_low
          assign sum[i] = y[token][i];
          assign late_high[token][i] = sums_at[LATE][i][WIDTH-1:FOLD];
        end
      end else begin : gen_add
        localparam int BELOW = (fold > 1 && fold % 2 == 1) ? 1 : 0;   // every second level's are registers
        logic [2*COUNT-1:0][FOLD-1:0] below;
        for (genvar i = 0; i < 2 * COUNT; i++) begin : gen_below
          assign below[i] = gen_fold_token[token].gen_fold[fold-1].sums_at[BELOW][i][FOLD-1:0];
        end
        for (genvar i = 0; i < COUNT; i++) begin : gen_pair
          assign sum[i] = below[2*i][FOLD-1:0] + below[2*i+1][FOLD-1:0];
        end
      end
    end
    for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_choice
      logic [CHOICES-1:0][FOLD-1:0] choices;
      for (genvar fold = 0; fold < CHOICES; fold++) begin : gen_each
        localparam int FROM = (fold <= FOLDS) ? fold : 0;
        localparam int LATE = FOLDING - ((FROM == 0) ? 0 : (FROM - 1) / 2);
        assign choices[fold] = gen_fold[FROM].sums_at[LATE][channel%(CHANNELS>>FROM)][FOLD-1:0];
      end
      assign folded[token][channel] = choices[late_fold[CHOICE_BITS-1:0]];
    end
  end
  for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_lane_we
    always_comb begin
      lane_we[channel] = late_fold == '0;
      for (int fold = 1; fold <= FOLDS; fold++) begin
        if (32'(late_fold) == fold) lane_we[channel] = 32'(piece) == channel / (CHANNELS >> fold);
      end
    end
  end

  // Cycle WRITE and on: byte by byte
  logic kept;
  assign kept = flags[WRITE][3] && flags[WRITE][1];
  logic [TOKENS-1:0][CHANNELS-1:0][WIDTH-1:0] out_q;
  logic [CHANNELS-1:0] lane_we_q;
  logic [15:0] out_addr_q;
  logic [2:0] left_q;
  logic [1:0] plane_q;
  logic [TOKENS-1:0][CHANNELS-1:0][3:0][7:0] bytes;
  for (genvar token = 0; token < TOKENS; token++) begin : gen_bytes_token
    for (genvar channel = 0; channel < CHANNELS; channel++) begin : gen_bytes
      assign bytes[token][channel] = 32'($signed(out_q[token][channel]));
    end
  end
`ifndef SYNTHESIS
  /* verilator lint_off PROCASSINIT */
  logic known_q = 1'b0;  // there was a reset
  /* verilator lint_on PROCASSINIT */
`endif
  always_ff @(posedge clk) begin
    if (rst) left_q <= '0;
    else if (kept) left_q <= late_bytes;
    else if (left_q != '0) left_q <= left_q - 3'd1;
    // What is true a cycle later: a result is there that has bytes, or more than one is left.
    writes <= !rst && ((flags[WRITE-1][3] && flags[WRITE-1][1] && fields[FOLDING-1][21:19] != '0)
                       || (kept ? late_bytes > 3'd1 : left_q > 3'd2));
    if (kept) begin
      for (int token = 0; token < TOKENS; token++) begin
        for (int channel = 0; channel < CHANNELS; channel++) begin
          out_q[token][channel] <= {late_high[token][channel], folded[token][channel]};
        end
      end
      lane_we_q <= lane_we;
      out_addr_q <= word_q;
      plane_q <= '0;
    end else begin
      out_addr_q <= out_addr_q + 16'd1;
      plane_q <= plane_q + 2'd1;
    end
`ifndef SYNTHESIS
    if (known_q && !rst && kept) assert (left_q <= 3'd1) else $error("bvit_engine_vector: a result is written over");
    known_q <= known_q || rst;
`endif
    if (rst) values_we <= '0;
    else values_we <= (left_q != '0) ? lane_we_q : '0;
    values_waddr <= out_addr_q;
    for (int token = 0; token < TOKENS; token++) begin
      for (int channel = 0; channel < CHANNELS; channel++) begin
        values_wdata[token][channel] <= bytes[token][channel][plane_q];
      end
    end
  end
  logic unused;
  assign unused = ^{mid_shift, out_shift, flags, record, operand_at, told, threshold, bits_at, values_at, fields};
endmodule

`default_nettype wire
