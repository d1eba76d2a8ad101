// A memory of the engine: a word is read in every cycle, and of a word any columns are written.
//
// Of an address the low bits count; a depth that is no power of two leaves addresses without a word. Reading the word
// that is being written gives any word. Latency two cycles: block RAM or UltraRAM with its output register. A column is
// of whole bytes, so that Vivado shares a block RAM between columns (UG901). Contents are not reset.
`default_nettype none

module bvit_engine_ram #(
  parameter int DEPTH = 16,    // words
  parameter int COLUMN = 8,    // bits of a column
  parameter int COLUMNS = 4,
  parameter int ULTRA = 0,     // 1: UltraRAM
  localparam int ADDR_BITS = $clog2(DEPTH),
  localparam int WORD = COLUMN * COLUMNS
) (
  input  wire logic                 clk,
  input  wire logic [COLUMNS-1:0]   we,
  input  wire logic [15:0]          waddr,
  input  wire logic [WORD-1:0]      wdata,
  input  wire logic [15:0]          raddr,
  output      logic [WORD-1:0]      rdata
);
  if (DEPTH < 2 || DEPTH > 1 << 16 || COLUMN % 8 != 0) begin : gen_illegal
    $error("bvit_engine_ram: DEPTH=%0d must be in 2..65536, COLUMN=%0d a multiple of 8", DEPTH, COLUMN);
  end

  /* verilator lint_off UNUSEDPARAM */
  localparam bit [39:0] STYLE = (ULTRA != 0) ? "ultra" : "block";
  /* verilator lint_on UNUSEDPARAM */
  (* ram_style = STYLE *) logic [WORD-1:0] mem[DEPTH];
  logic [WORD-1:0] word_q, out_q;
  always_ff @(posedge clk) begin
    for (int column = 0; column < COLUMNS; column++) begin
      if (we[column]) mem[waddr[ADDR_BITS-1:0]][column*COLUMN+:COLUMN] <= wdata[column*COLUMN+:COLUMN];
    end
    word_q <= mem[raddr[ADDR_BITS-1:0]];
    out_q <= word_q;
  end
  assign rdata = out_q;
  logic unused;
  assign unused = ^{waddr, raddr};
endmodule

`default_nettype wire
