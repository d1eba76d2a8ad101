// KEYS and VALUES: what attention multiplies with goes from the memory of bits to that of weights.
//
// KEYS: each slot's bits of each token become a row, TOKENS x (64 / TOKENS) of them to 64 rows; a row a cycle. VALUES:
// an octet of channels at a time, each channel of 64 / TOKENS slots becomes a row of 64 columns; a slot a cycle, and
// the columns behind the last slot are 0. Addresses of bits are registers; words come two cycles behind them.
`default_nettype none

module bvit_engine_mover #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  localparam int COLUMNS = bvit_engine_pkg::COLUMNS,
  localparam int OCTET = bvit_engine_pkg::OCTET
) (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic        start,
  input  wire logic        transpose,       // VALUES
  input  wire logic [15:0] slots,
  input  wire logic [15:0] bits_base,
  input  wire logic [15:0] bits_stride,
  input  wire logic [15:0] weights_base,
  input  wire logic [3:0]  octet_first,
  input  wire logic [3:0]  octet_count,
  output      logic        busy,
  output      logic [15:0] bits_raddr,
  input  wire logic [TOKENS-1:0][COLUMNS-1:0] bits,
  output      logic [ROWS-1:0] weights_we,
  output      logic [15:0] weights_waddr,
  output      logic [ROWS-1:0][COLUMNS-1:0] weights_wdata
);
  localparam int KEY_SLOTS = COLUMNS / TOKENS;
  localparam int FILLED = KEY_SLOTS * TOKENS;
  localparam int ROW_BITS = $clog2(ROWS);
  localparam int PLACE_BITS = $clog2(COLUMNS + 1);
  localparam int TOKEN_BITS = (TOKENS > 1) ? $clog2(TOKENS) : 1;

  // The counters: of KEYS slots, and in each the tokens; of VALUES octets, words of slots, and slots.
  logic active_q, slot_last_q, keys_step, place_last, slot_last, token_last, octet_last;
  logic [15:0] at_q, left_q, row_q, word_q, block_q;
  logic [PLACE_BITS-1:0] place_q;
  logic [TOKEN_BITS-1:0] token_q;
  logic [3:0] octet_q;
  assign place_last = place_q == PLACE_BITS'(KEY_SLOTS - 1);
  assign token_last = token_q == TOKEN_BITS'(TOKENS - 1);
  assign slot_last = slot_last_q;   // found a cycle before
  assign octet_last = octet_q == octet_count - 4'd1;
  assign keys_step = transpose || token_last;
  assign busy = active_q;
  assign bits_raddr = at_q;

  logic rows_full;       // the octets so far fill all rows of their words
  assign rows_full = row_q[ROW_BITS-1:0] == ROW_BITS'(ROWS - OCTET);
  always_ff @(posedge clk) begin
    if (rst) active_q <= 1'b0;
    else if (start) active_q <= slots != '0 && (!transpose || octet_count != '0);
    else if (transpose ? place_last && slot_last && octet_last : token_last && slot_last) active_q <= 1'b0;
    if (start) begin
      at_q <= bits_base;
      left_q <= slots;
      slot_last_q <= slots <= 16'd1;
      row_q <= '0;
      place_q <= '0;
      token_q <= '0;
      octet_q <= '0;
      word_q <= weights_base;
      block_q <= weights_base;
    end else if (active_q) begin
      token_q <= (transpose || token_last) ? '0 : token_q + 1'b1;
      if (keys_step) begin
        at_q <= at_q + bits_stride;
        place_q <= place_last ? '0 : place_q + 1'b1;
        if (left_q != '0) left_q <= left_q - 16'd1;
        slot_last_q <= left_q <= 16'd2;
      end
      if (!transpose) begin
        row_q <= (token_last && place_last) ? row_q + 16'(COLUMNS - FILLED + 1) : row_q + 16'd1;
      end else begin
        if (place_last) begin
          word_q <= word_q + 16'd1;
          if (slot_last) begin
            // The next octet: in the same words, or in the words behind them.
            at_q <= bits_base;
            left_q <= slots;
            slot_last_q <= slots <= 16'd1;
            octet_q <= octet_q + 4'd1;
            row_q <= row_q + 16'(OCTET);
            if (rows_full) block_q <= word_q + 16'd1;
            else word_q <= block_q;
          end
        end
      end
    end
  end

  // With the word, two cycles behind the address
  localparam int TOLD = 4 + TOKEN_BITS + 4 + 16 + 16;
  logic [2:0][TOLD-1:0] told;
  logic shift_now, moves, slot_there, word_ends;
  logic [TOKEN_BITS-1:0] token_now;
  logic [3:0] octet_now;
  logic [15:0] row_now, word_now;
  bvit_engine_stages #(
    .WIDTH(TOLD),
    .STEPS(2),
    .RESET(1'b1)
  ) u_told (
    .clk,
    .rst,
    .d({active_q && !transpose, active_q && transpose, left_q != '0, place_last, token_q, octet_q, row_q,
        transpose ? word_q : weights_base + (row_q >> ROW_BITS)}),
    .q(told)
  );
  assign {moves, shift_now, slot_there, word_ends, token_now, octet_now, row_now, word_now} = told[2];

  // KEYS: a token's word, masked by octets. VALUES: columns come in from above.
  logic [COLUMNS-1:0] key, counted;
  logic [OCTET-1:0][FILLED-1:0] columns_q;
  for (genvar octet = 0; octet < bvit_engine_pkg::OCTETS; octet++) begin : gen_octet
    assign counted[octet*OCTET+:OCTET] =
        {OCTET{4'(octet) >= octet_first && 5'(octet) < 5'(octet_first) + 5'(octet_count)}};
  end
  assign key = bits[token_now] & counted;
  logic [OCTET-1:0][TOKENS-1:0] fresh;
  logic [2:0] octet_at;
  assign octet_at = 3'(octet_first + octet_now);
  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    for (genvar channel = 0; channel < OCTET; channel++) begin : gen_channel
      assign fresh[channel][token] = slot_there && bits[token][{octet_at, 3'(channel)}];
    end
  end
  logic key_q, values_q;
  logic [COLUMNS-1:0] key_word_q;
  logic [ROW_BITS-1:0] row_at_q;
  logic [15:0] word_at_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      key_q <= 1'b0;
      values_q <= 1'b0;
    end else begin
      key_q <= moves;
      values_q <= shift_now && word_ends;
    end
    key_word_q <= key;
    row_at_q <= row_now[ROW_BITS-1:0];
    word_at_q <= word_now;
    if (shift_now) begin
      for (int channel = 0; channel < OCTET; channel++) begin
        columns_q[channel] <= FILLED'({fresh[channel], columns_q[channel]} >> TOKENS);
      end
    end
  end

  assign weights_waddr = word_at_q;
  for (genvar row = 0; row < ROWS; row++) begin : gen_row
    logic here;
    assign here = (key_q && row_at_q == ROW_BITS'(row))
               || (values_q && (row_at_q >> 3) == ROW_BITS'(row / OCTET));
    assign weights_we[row] = here;
    assign weights_wdata[row] = key_q ? key_word_q : COLUMNS'(columns_q[row%OCTET]);
  end
  logic unused;
  assign unused = ^{told, row_now};
endmodule

`default_nettype wire
