// Simple dual-port memory for line buffers: one write and one registered read a cycle.
//
// Reading the word that is being written gives the old word. The read register holds its word while
// `re` is low. BLOCK chooses block RAM, otherwise LUT RAM; one word is a register.
`default_nettype none

module bvit_line_ram #(
  parameter int WIDTH = 8,
  parameter int DEPTH = 16,
  parameter bit BLOCK = 1'b0,
  localparam int ADDR_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1
) (
  input  wire logic                 clk,
  input  wire logic                 we,
  input  wire logic [ADDR_BITS-1:0] waddr,
  input  wire logic [WIDTH-1:0]     wdata,
  input  wire logic                 re,
  input  wire logic [ADDR_BITS-1:0] raddr,
  output      logic [WIDTH-1:0]     rdata
);
  if (WIDTH < 1 || DEPTH < 1) begin : gen_illegal
    $error("bvit_line_ram: WIDTH=%0d and DEPTH=%0d must be positive", WIDTH, DEPTH);
  end

  if (DEPTH == 1) begin : gen_register
    logic [WIDTH-1:0] word_q;
    always_ff @(posedge clk) begin
      if (we) word_q <= wdata;
      if (re) rdata <= word_q;
    end
    logic unused;
    assign unused = ^{waddr, raddr};
  end else if (BLOCK) begin : gen_block
    // Up to 4096 words a block RAM has a power of two of them anyway; asking for fewer makes Yosys
    // put together unequal ones with multiplexers between.
    localparam int WORDS = (ADDR_BITS <= 12) ? 2 ** ADDR_BITS : DEPTH;
    (* ram_style = "block" *) logic [WIDTH-1:0] mem[WORDS];
    always_ff @(posedge clk) begin
      if (we) mem[waddr] <= wdata;
      if (re) rdata <= mem[raddr];
    end
  end else begin : gen_lutram
    (* ram_style = "distributed" *) logic [WIDTH-1:0] mem[DEPTH];
    always_ff @(posedge clk) begin
      if (we) mem[waddr] <= wdata;
      if (re) rdata <= mem[raddr];
    end
  end
endmodule

`default_nettype wire
