// One table of bvit_serial_mvau: WIDTH bits from OFFSET on of the word at an address of INIT_FILE,
// combinational, so that the adder behind it merges into its lookup tables.
//
// The words lie in reversed order, the highest address first: an address that comes from registers
// inverted is not one that Yosys would move those registers behind the table for.
`default_nettype none

module bvit_serial_table #(
  parameter int ADDR_BITS = 5,
  parameter int WIDTH = 22,
  parameter int WORD_BITS = 22,  // of a line of INIT_FILE
  parameter int OFFSET = 0,
  parameter INIT_FILE = ""
) (
  input  wire logic [ADDR_BITS-1:0] addr,
  output      logic [    WIDTH-1:0] data
);
  // Yosys (by its slang front end) calls lookup tables "logic"; to Vivado tables this small need no
  // name, and a name would keep it from merging them.
`ifdef __slang__
  (* rom_style = "logic" *)
`endif
  logic [WORD_BITS-1:0] mem[1<<ADDR_BITS];
  initial if (INIT_FILE != "") $readmemh(INIT_FILE, mem);
  assign data = mem[~addr][OFFSET+:WIDTH];
endmodule

`default_nettype wire
