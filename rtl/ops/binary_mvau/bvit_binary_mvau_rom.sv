// Weight memory of bvit_binary_mvau: `word` is the one at the address of the last enabled cycle.
//
// One line of MEM_FILE a word, read when the simulation or the bitstream starts: other weights need
// no recompilation of a simulator. STYLE is block, distributed or auto (left to the tool).
`default_nettype none

module bvit_binary_mvau_rom #(
  parameter int WIDTH = 72,
  parameter int DEPTH = 8,
  parameter string MEM_FILE = "",
  parameter string STYLE = "block",
  parameter int ADDRESS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire logic               clk,
  input  wire logic               en,
  input  wire logic [ADDRESS-1:0] address,
  output wire logic [  WIDTH-1:0] word
);

  logic [WIDTH-1:0] word_q;

  if (STYLE == "block") begin : gen_block
    (* rom_style = "block" *) logic [WIDTH-1:0] memory[DEPTH];
    initial if (MEM_FILE != "") $readmemh(MEM_FILE, memory);
    always_ff @(posedge clk) if (en) word_q <= memory[address];
  end else if (STYLE == "distributed") begin : gen_distributed
    // Yosys (by its slang front end) calls it "logic", and knows "distributed" for RAM only.
`ifdef __slang__
    (* rom_style = "logic" *) logic [WIDTH-1:0] memory[DEPTH];
`else
    (* rom_style = "distributed" *) logic [WIDTH-1:0] memory[DEPTH];
`endif
    initial if (MEM_FILE != "") $readmemh(MEM_FILE, memory);
    always_ff @(posedge clk) if (en) word_q <= memory[address];
  end else begin : gen_auto
    logic [WIDTH-1:0] memory[DEPTH];
    initial if (MEM_FILE != "") $readmemh(MEM_FILE, memory);
    always_ff @(posedge clk) if (en) word_q <= memory[address];
  end

  assign word = word_q;

endmodule

`default_nettype wire
