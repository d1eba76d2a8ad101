// Simple dual-port memory of LANES lanes a word: one lane (or several, with the same data) is
// written, all are read.
//
// The read is registered, one cycle of latency, and holds its word while `re` is low. Reading a
// word in the cycle in which it is written gives an undefined word. Up to 64 words lie in LUT RAM,
// deeper memories in block RAM, whose byte enables serve the lanes.
`default_nettype none

module bvit_attention_ram #(
  parameter int DEPTH = 16,
  parameter int LANES = 4,
  parameter int LANE_BITS = 8,
  localparam int AddrBits = DEPTH > 1 ? $clog2(DEPTH) : 1
) (
  input wire logic clk,
  input wire logic [LANES-1:0] we,
  input wire logic [AddrBits-1:0] waddr,
  input wire logic [LANE_BITS-1:0] wdata,
  input wire logic re,
  input wire logic [AddrBits-1:0] raddr,
  output wire logic [LANES*LANE_BITS-1:0] rdata
);

  logic [LANES*LANE_BITS-1:0] rdata_q;
  assign rdata = rdata_q;

  if (DEPTH <= 64) begin : gen_distributed
    // One memory a lane: LUT RAM has no enables within a word.
    for (genvar lane = 0; lane < LANES; lane++) begin : gen_lane
      (* ram_style = "distributed" *) logic [LANE_BITS-1:0] mem[DEPTH];
      always_ff @(posedge clk) begin
        if (we[lane]) mem[waddr] <= wdata;
        if (re) rdata_q[lane*LANE_BITS+:LANE_BITS] <= mem[raddr];
      end
    end
  end else begin : gen_block
    (* ram_style = "block" *) logic [LANES*LANE_BITS-1:0] mem[DEPTH];
    always_ff @(posedge clk) begin
      for (int lane = 0; lane < LANES; lane++) begin
        if (we[lane]) mem[waddr][lane*LANE_BITS+:LANE_BITS] <= wdata;
      end
      if (re) rdata_q <= mem[raddr];
    end
  end

endmodule

`default_nettype wire
