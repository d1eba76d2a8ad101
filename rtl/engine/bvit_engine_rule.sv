// The row rule of attention: which keys a query attends. The inner loop of bvit_engine_turns is the rows of keys; it
// runs twice: first the entries of all keys are added up, then each is compared with floor(threshold * sum / 2^16).
//
// First the table goes from the parameters into tables of LUTs, an entry a cycle; `ready` ends that. The entry of no
// equal bit counts as 0, so that there are as many as a LUT RAM has words. CHANNELS keys of
// each token a cycle. Between the first run and the second there are at least 4 + clog2(CHANNELS) cycles: the sum's way
// to the limit.
`default_nettype none

module bvit_engine_rule #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  localparam int SUM = bvit_engine_pkg::SUM_BITS,
  localparam int WORDS = (bvit_engine_pkg::TABLE + CHANNELS - 1) / CHANNELS   // of the table
) (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic        start,
  output      logic        ready,
  input  wire logic [15:0] param_base,
  // from bvit_engine_turns, cycle 0
  input  wire logic        valid,
  input  wire logic [7:0]  group,
  input  wire logic [15:0] inner,
  input  wire logic        again,
  input  wire logic        opens,
  input  wire logic        closes,
  input  wire logic [15:0] bits_addr,
  // memory of parameters
  output      logic [15:0] param_raddr,
  input  wire logic [CHANNELS-1:0][31:0] params,    // two cycles later
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic [1:0][TOKENS-1:0][CHANNELS-1:0][SUM-1:0] sums,  // cycle 6, of two groups: below 2^7
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire logic        odd,                     // cycle 6: which of them it is
  output      logic        bits_we,
  output      logic [15:0] bits_waddr,              // in octets
  output      logic [TOKENS-1:0][CHANNELS-1:0] bits_wdata
);
  localparam int ENTRY = bvit_engine_pkg::ENTRY_BITS;
  localparam int LEVELS = $clog2(CHANNELS);
  localparam int SCALE = bvit_engine_pkg::THRESHOLD_BITS;
  localparam int COUNT_BITS = $clog2(WORDS * CHANNELS + CHANNELS);
  localparam int SUMS = 9 + LEVELS;   // cycle in which the groups' sums are added up
  localparam int WRITES = 9;          // cycle in which bits are there
  localparam int PER_WORD = bvit_engine_pkg::COLUMNS / CHANNELS;  // groups of keys that share a word of the mask

  // The table and the threshold, by a counter of entries; in a word channel by channel.
  logic loading_q;
  logic [COUNT_BITS-1:0] entry_q;
  logic [15:0] load_raddr_q;
  logic [2:0][COUNT_BITS:0] told;
  bvit_engine_stages #(
    .WIDTH(COUNT_BITS + 1),
    .STEPS(2),
    .RESET(1'b1)
  ) u_told (
    .clk,
    .rst,
    .d({loading_q, entry_q}),
    .q(told)
  );
  logic stored;
  logic [COUNT_BITS-1:0] stored_at_q, stored_at;
  logic stored_q;
  // One more cycle: the address is a register.
  always_ff @(posedge clk) begin
    if (rst) stored_q <= 1'b0;
    else stored_q <= told[2][COUNT_BITS];
    stored_at_q <= told[2][COUNT_BITS-1:0];
  end
  assign stored = stored_q;
  assign stored_at = stored_at_q;
  always_ff @(posedge clk) begin
    if (rst) loading_q <= 1'b0;
    else if (start) loading_q <= 1'b1;
    else if (entry_q == COUNT_BITS'(WORDS * CHANNELS)) loading_q <= 1'b0;
    if (start) entry_q <= '0;
    else if (loading_q) entry_q <= entry_q + 1'b1;
    load_raddr_q <= param_base + 16'(entry_q >> LEVELS);
  end
  logic [ENTRY-1:0] fresh;
  logic [5:0] behind;
  logic [SCALE-1:0] threshold_q;
  (* ram_style = "distributed" *) logic [ENTRY-1:0] mem[bvit_engine_pkg::COLUMNS];
  assign fresh = params[stored_at[LEVELS-1:0]][ENTRY-1:0];
  assign behind = 6'(stored_at - 1'b1);
  always_ff @(posedge clk) begin
    if (stored && stored_at != '0 && stored_at <= COUNT_BITS'(bvit_engine_pkg::COLUMNS)) mem[behind] <= fresh;
    if (stored && stored_at == COUNT_BITS'(WORDS * CHANNELS)) threshold_q <= params[0][SCALE-1:0];
    ready <= !rst && stored && stored_at == COUNT_BITS'(WORDS * CHANNELS);
  end

  // The mask: bits of keys by rows; a row's word of 64 is read with the turn.
  logic [15:0] mask_raddr_q;
  logic [31:0] place;
  assign place = 32'(inner) * (ROWS / CHANNELS) + 32'(group);   // group of keys
  always_ff @(posedge clk) mask_raddr_q <= param_base + 16'(WORDS + 1) + 16'(place / PER_WORD);
  assign param_raddr = (loading_q || told[1][COUNT_BITS]) ? load_raddr_q : mask_raddr_q;

  localparam int PLACE_BITS = (PER_WORD > 1) ? $clog2(PER_WORD) : 1;
  logic [SUMS+3:0][3:0] flags;   // first run, second run, opens, closes
  logic [6:0][PLACE_BITS-1:0] places;
  bvit_engine_stages #(
    .WIDTH(4),
    .STEPS(SUMS + 3),
    .RESET(1'b1)
  ) u_flags (
    .clk,
    .rst,
    .d({valid && !again, valid && again, opens, closes}),
    .q(flags)
  );
  bvit_engine_stages #(
    .WIDTH(PLACE_BITS),
    .STEPS(6)
  ) u_places (
    .clk,
    .rst,
    .d(PLACE_BITS'(place % PER_WORD)),
    .q(places)
  );
  logic [3:0][63:0] masks;   // of cycle 3 and behind
  bvit_engine_stages #(
    .WIDTH(64),
    .STEPS(3)
  ) u_masks (
    .clk,
    .rst,
    .d({params[1], params[0]}),
    .q(masks)
  );

  // Cycle 6: equal bits, and which keys there are. Cycle 7: entries
  logic [CHANNELS-1:0] there_q;
  logic [TOKENS-1:0][CHANNELS-1:0][6:0] equal_q;
  logic [TOKENS-1:0][CHANNELS-1:0][ENTRY-1:0] entries_q;
  logic [TOKENS-1:0][CHANNELS-1:0] attended;
  always_ff @(posedge clk) begin
    there_q <= masks[3][CHANNELS*places[6]+:CHANNELS];
    for (int token = 0; token < TOKENS; token++) begin
      for (int key = 0; key < CHANNELS; key++) begin
        equal_q[token][key] <= sums[odd][token][key][6:0] + 7'(bvit_engine_pkg::COLUMNS / 2 - 1);   // less one
        entries_q[token][key] <= !there_q[key] || equal_q[token][key][6] ? '0 : mem[equal_q[token][key][5:0]];
      end
    end
  end

  // Cycles 8 on: their sum, and the limit that follows from it
  for (genvar token = 0; token < TOKENS; token++) begin : gen_token
    logic [ENTRY+LEVELS-1:0] some;
    logic [31:0] sum_q, sum2_q;
    (* use_dsp = "yes" *) logic [32+SCALE-1:0] product_q;
    logic [32+SCALE-1:0] product2_q;
    logic [ENTRY-1:0] limit_q;   // an entry is not above what is beyond the largest one
    bvit_adder_tree #(
      .N(CHANNELS),
      .BITS(ENTRY),
      .SIGNED(1'b0)
    ) u_tree (
      .clk,
      .en(1'b1),
      .x(entries_q[token]),
      .sum(some)
    );
    always_ff @(posedge clk) begin
      if (flags[SUMS-1][3]) sum_q <= (flags[SUMS-1][1] ? '0 : sum_q) + 32'(some);
      sum2_q <= sum_q;
      product_q <= sum2_q * threshold_q;
      product2_q <= product_q;
      if (flags[SUMS+3][3] && flags[SUMS+3][0]) begin
        limit_q <= (product2_q[32+SCALE-1:16+ENTRY] != '0) ? '1 : product2_q[16+:ENTRY];
      end
    end
    for (genvar key = 0; key < CHANNELS; key++) begin : gen_key
      assign attended[token][key] = entries_q[token][key] > limit_q;
    end
    logic unused_low;
    assign unused_low = ^product2_q[15:0];
  end

  logic [WRITES-1:0][15:0] bits_at;
  bvit_engine_stages #(
    .WIDTH(16),
    .STEPS(WRITES - 1)
  ) u_bits_at (
    .clk,
    .rst,
    .d(bits_addr),
    .q(bits_at)
  );
  always_ff @(posedge clk) begin
    if (rst) bits_we <= 1'b0;
    else bits_we <= flags[WRITES-1][2];
    bits_waddr <= bits_at[WRITES-1];
    bits_wdata <= attended;
  end
  logic unused;
  assign unused = ^{flags, places, masks, bits_at, told, place};
endmodule

`default_nettype wire
