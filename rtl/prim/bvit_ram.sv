// Simple dual-port memory of LANES lanes a word: one lane (or several, with the same data) is written
// and a word read a cycle.
//
// Reading the word that is being written gives the old one. The read is registered, one cycle of
// latency; its register holds the word while `re` is low. STYLE chooses LUT RAM (0), block RAM (1) or
// UltraRAM (2); the byte enables of the latter two serve the lanes. One word is a register.
// Vivado shares a block between lanes of whole bytes alone (UG901: columns of a multiple of 8 or 9
// bits), so that a lane is filled up to such a width. Yosys takes whole bytes anyway. An UltraRAM's
// port A comes before its port B (UG573): reading at A and writing at B gives the old word.
`default_nettype none

module bvit_ram #(
  parameter int DEPTH = 16,
  parameter int LANE_BITS = 8,
  parameter int LANES = 1,
  parameter int STYLE = 0,
  localparam int ADDR_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire logic                       clk,
  input  wire logic [LANES-1:0]           we,
  input  wire logic [ADDR_BITS-1:0]       waddr,
  input  wire logic [LANE_BITS-1:0]       wdata,
  input  wire logic                       re,
  input  wire logic [ADDR_BITS-1:0]       raddr,
  output      logic [LANES*LANE_BITS-1:0] rdata
);
  if (DEPTH < 1 || LANE_BITS < 1 || LANES < 1) begin : gen_illegal
    $error("bvit_ram: DEPTH=%0d, LANE_BITS=%0d and LANES=%0d must be positive", DEPTH, LANE_BITS, LANES);
  end
  if (STYLE < 0 || STYLE > 2) begin : gen_illegal_style
    $error("bvit_ram: STYLE=%0d; allowed: 0 to 2", STYLE);
  end

  if (DEPTH > 1 && STYLE > 0) begin : gen_block
    // Up to 4096 words a block RAM has a power of two of them anyway; asking for fewer makes Yosys
    // put together unequal ones with multiplexers between.
    localparam int WORDS = (ADDR_BITS <= 12) ? 2 ** ADDR_BITS : DEPTH;
    localparam int BY8 = (LANE_BITS + 7) / 8 * 8;
    localparam int BY9 = (LANE_BITS + 8) / 9 * 9;
    localparam int COLUMN = (LANES == 1) ? LANE_BITS : (BY8 < BY9) ? BY8 : BY9;
    logic [LANES-1:0][COLUMN-1:0] word_q;
    if (STYLE == 1) begin : gen_bram
      (* ram_style = "block" *) logic [LANES*COLUMN-1:0] mem[WORDS];
      always_ff @(posedge clk) begin
        for (int lane = 0; lane < LANES; lane++) begin
          if (we[lane]) mem[waddr][lane*COLUMN+:COLUMN] <= COLUMN'(wdata);
        end
        if (re) word_q <= mem[raddr];
      end
    end else begin : gen_ultra
      (* ram_style = "ultra" *) logic [LANES*COLUMN-1:0] mem[WORDS];
      always_ff @(posedge clk) begin
        for (int lane = 0; lane < LANES; lane++) begin
          if (we[lane]) mem[waddr][lane*COLUMN+:COLUMN] <= COLUMN'(wdata);
        end
        if (re) word_q <= mem[raddr];
      end
    end
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      assign rdata[lane*LANE_BITS+:LANE_BITS] = word_q[lane][LANE_BITS-1:0];
    end
    logic unused;
    assign unused = ^word_q;
  end else begin : gen_lanes
    // One memory a lane: LUT RAM has no enables within a word.
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      if (DEPTH == 1) begin : gen_register
        logic [LANE_BITS-1:0] word_q;
        always_ff @(posedge clk) begin
          if (we[lane]) word_q <= wdata;
          if (re) rdata[lane*LANE_BITS+:LANE_BITS] <= word_q;
        end
        logic unused;
        assign unused = ^{waddr, raddr};
      end else begin : gen_lutram
        (* ram_style = "distributed" *) logic [LANE_BITS-1:0] mem[DEPTH];
        always_ff @(posedge clk) begin
          if (we[lane]) mem[waddr] <= wdata;
          if (re) rdata[lane*LANE_BITS+:LANE_BITS] <= mem[raddr];
        end
      end
    end
  end
endmodule

`default_nettype wire
