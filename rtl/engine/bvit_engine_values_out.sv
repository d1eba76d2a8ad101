// The way of the vector unit's results to the memory of values: as they are, or sums of neighbours, byte by byte.
//
// `y` is a group's result while `ends` is up, and `place` where it goes, a cycle before. It is written in the cycles
// behind it, a byte of all channels a cycle; results come no closer than they have bytes. With `out_fold` channels
// that are neighbours are added up, 2 ** out_fold of them, to two bytes: then a place counts pieces of words, from
// `fold_base` on, and only the channels of its piece are written. Sums have two levels of adders a cycle. All results
// come as late as those of the last level.
`default_nettype none

module bvit_engine_values_out #(
  parameter int TOKENS = 7,
  parameter int CHANNELS = 8,
  localparam int WIDTH = bvit_engine_pkg::RESULT_BITS,
  localparam int FOLDS = $clog2(CHANNELS)
) (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic [15:0] place,
  input  wire logic        ends,
  input  wire logic [TOKENS-1:0][CHANNELS-1:0][WIDTH-1:0] y,
  // of the command
  input  wire logic [2:0]  out_bytes,
  input  wire logic [2:0]  out_fold,
  input  wire logic [15:0] fold_base,
  // to the memory
  output      logic        writes,              // values_we is up in two cycles
  output      logic [CHANNELS-1:0] values_we,   // of each token
  output      logic [15:0] values_waddr,
  output      logic [TOKENS-1:0][CHANNELS-1:0][7:0] values_wdata
);
  localparam int FOLD = bvit_engine_pkg::FOLD_BITS;
  localparam int CHOICE_BITS = $clog2(FOLDS + 1);
  localparam int CHOICES = 1 << CHOICE_BITS;
  localparam int FOLDING = (FOLDS - 1) / 2;  // registers between levels of sums

  // Cycles from a level's sums to the last level's.
  function automatic int late(input int fold);
    late = FOLDING - ((fold == 0) ? 0 : (fold - 1) / 2);
  endfunction

  // The command's fields, as late
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
  // Where it goes, a cycle ahead of the result, and that one is there
  logic [FOLDING+1:0][15:0] places;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(FOLDING + 1)
  ) u_places (
    .clk,
    .rst,
    .d(place),
    .q(places)
  );
  logic [FOLDING:0] ended;
  bvit_engine_stages #(
    .WIDTH(1),
    .STEPS(FOLDING),
    .RESET(1'b1)
  ) u_ended (
    .clk,
    .rst,
    .d(ends),
    .q(ended)
  );
  logic [15:0] piece_word, word_q;
  logic [FOLDS-1:0] piece;
  assign piece_word = places[FOLDING-1] >> late_fold;
  always_comb begin
    piece = '0;
    for (int fold = 1; fold <= FOLDS; fold++) begin
      if (32'(late_fold) == fold) piece = places[FOLDING+1][FOLDS-1:0] & FOLDS'((1 << fold) - 1);
    end
  end
  logic [15:0] scaled_q;
  always_ff @(posedge clk) begin
    scaled_q <= 16'(piece_word * 16'(late_bytes));
    word_q <= (late_fold == '0) ? places[FOLDING] : late_base + scaled_q;
  end

  // Sums of neighbours, of two bytes: level by level, each half as many. Every second level's are registers; all are
  // there, and the result as well, when the last level's are.
  logic [TOKENS-1:0][CHANNELS-1:0][WIDTH-1:FOLD] late_high;
  logic [TOKENS-1:0][CHANNELS-1:0][FOLD-1:0] folded;
  logic [CHANNELS-1:0] lane_we;
  for (genvar token = 0; token < TOKENS; token++) begin : gen_fold_token
    for (genvar fold = 0; fold <= FOLDS; fold++) begin : gen_fold
      localparam int COUNT = CHANNELS >> fold;
      localparam int LATE = late(fold);
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
        assign choices[fold] = gen_fold[FROM].sums_at[late(FROM)][channel%(CHANNELS>>FROM)][FOLD-1:0];
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

  // All sums are there. Byte by byte
  logic kept;
  assign kept = ended[FOLDING];
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
    writes <= !rst && ((ended[FOLDING-1] && fields[FOLDING-1][21:19] != '0)
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
    if (known_q && !rst && kept) assert (left_q <= 3'd1) else $error("bvit_engine_values_out: results too close");
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
  assign unused = ^{places, fields};
endmodule

`default_nettype wire
