// Read-only memory: data is the word at the address of the last enabled cycle (latency one).
//
// One line of INIT_FILE a word, read when the simulation or the bitstream starts: other contents need
// no recompilation of a simulator. A single word stands in two lines, for some tools refuse a memory of
// one. BLOCK keeps the words in block RAM, otherwise they become
// lookup tables, with the word in a register: nothing behind the memory merges into its tables, which
// Yosys would then take apart (a table of 256 words and one more input cost it nearly twice the LUTs).
// Throughput one word a cycle; no reset, the address comes from a counter that has one.
`default_nettype none

module bvit_rom #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 2,
  parameter bit BLOCK = 1'b0,
  parameter INIT_FILE = "",
  localparam int ADDR_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire logic                 clk,
  input  wire logic                 en,
  input  wire logic [ADDR_BITS-1:0] addr,
  output      logic [WIDTH-1:0]     data
);
  if (WIDTH < 1 || DEPTH < 1) begin : gen_illegal
    $error("bvit_rom: WIDTH=%0d and DEPTH=%0d must be positive", WIDTH, DEPTH);
  end

  localparam int WORDS = (DEPTH > 1) ? DEPTH : 2;
  logic [WIDTH-1:0] data_q;
  assign data = data_q;

  if (BLOCK) begin : gen_block
    (* rom_style = "block" *) logic [WIDTH-1:0] mem[WORDS];
    initial if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
    always_ff @(posedge clk) if (en) data_q <= mem[addr];
  end else begin : gen_tables
    // Yosys (by its slang front end) calls lookup tables "logic", Vivado calls them "distributed".
`ifdef __slang__
    (* rom_style = "logic" *) logic [WIDTH-1:0] mem[WORDS];
`else
    (* rom_style = "distributed" *) logic [WIDTH-1:0] mem[WORDS];
`endif
    initial if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
    always_ff @(posedge clk) if (en) data_q <= mem[addr];
  end
endmodule

`default_nettype wire
