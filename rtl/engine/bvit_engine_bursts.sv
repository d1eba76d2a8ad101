// Cuts a piece of DRAM into bursts of AXI4: at most BURST beats of eight bytes, and none crosses 4 KB.
//
// `start` takes address (a multiple of eight) and beats, at least one. A burst is on offer while `valid`; `next` takes
// it. The length that goes with an address comes from registers: after `start` and `next` a cycle passes.
`default_nettype none

module bvit_engine_bursts #(
  parameter int ADDRESS = 32,
  parameter int BURST = 16
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               start,
  input  wire logic [ADDRESS-1:0] start_addr,
  input  wire logic [23:0]        start_beats,
  input  wire logic               next,
  output      logic               valid,
  output      logic [ADDRESS-1:0] addr,
  output      logic [7:0]         len,       // beats less one
  output      logic               busy       // there are more bursts, or one on offer
);
  localparam int COUNT_BITS = $clog2(BURST + 1);
  if (BURST < 1 || BURST > 256) begin : gen_illegal
    $error("bvit_engine_bursts: BURST=%0d must be in 1..256", BURST);
  end

  logic [ADDRESS-1:0] addr_q;
  logic [23:0] left_q;
  logic [COUNT_BITS-1:0] beats_q, beats;
  logic valid_q;
  logic [9:0] room;   // beats up to the next border of 4 KB
  assign room = 10'd512 - {1'b0, addr_q[11:3]};
  always_comb begin
    beats = COUNT_BITS'(BURST);
    if (10'(beats) > room) beats = COUNT_BITS'(room);
    if (24'(beats) > left_q) beats = COUNT_BITS'(left_q);
  end
  always_ff @(posedge clk) begin
    if (rst) begin
      valid_q <= 1'b0;
      left_q <= '0;
    end else if (start) begin
      valid_q <= 1'b0;
      left_q <= start_beats;
    end else if (next && valid_q) begin
      valid_q <= 1'b0;
      left_q <= left_q - 24'(beats_q);
    end else begin
      valid_q <= left_q != '0;
    end
    if (start) addr_q <= start_addr;
    else if (next && valid_q) addr_q <= addr_q + (ADDRESS'(beats_q) << 3);
    if (!valid_q) beats_q <= beats;
  end
  assign valid = valid_q;
  assign addr = addr_q;
  assign len = 8'(beats_q - 1'b1);
  assign busy = left_q != '0;
endmodule

`default_nettype wire
