// Cuts a piece of DRAM into bursts of AXI4: at most BURST beats of PORT bits, none crosses 4 KB, and at most
// OUTSTANDING of them are under way.
//
// `start`, only while `free`, takes address (a multiple of a beat's bytes) and beats, at least one. A burst is on offer
// while `valid`, and stays so until `ready`. The length that goes with an address comes from registers: after `start`
// and behind a burst that was `taken` a cycle passes. `ended` says that one of those under way has ended.
`default_nettype none

module bvit_engine_bursts #(
  parameter int ADDRESS = 32,
  parameter int PORT = 64,
  parameter int BURST = 16,
  parameter int OUTSTANDING = 4
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               start,
  input  wire logic [ADDRESS-1:0] start_addr,
  input  wire logic [23:0]        start_beats,
  output      logic               valid,
  input  wire logic               ready,
  output      logic               taken,
  input  wire logic               ended,
  output      logic [ADDRESS-1:0] addr,
  output      logic [7:0]         len,       // beats less one
  output      logic               free,      // there are no more bursts on offer
  output      logic               busy       // there are more bursts, or some under way
);
  localparam int BYTE_BITS = $clog2(PORT / 8);
  localparam int COUNT_BITS = $clog2(BURST + 1);
  localparam int AWAY_BITS = $clog2(OUTSTANDING + 1);
  localparam int BURST_BITS = $clog2(BURST);
  if (BURST < 2 || BURST > 256 || BURST != 1 << BURST_BITS) begin : gen_illegal
    $error("bvit_engine_bursts: BURST=%0d must be a power of two in 2..256", BURST);
  end

  logic [ADDRESS-1:0] addr_q;
  logic [23:0] left_q;
  logic [COUNT_BITS-1:0] beats_q, beats;
  logic valid_q, pending_q, ends, ends_q;   // there are more bursts; the burst on offer is the last one
  logic near;         // of the beats up to the next border of 4 KB there are no more than BURST
  assign near = &addr_q[11:BYTE_BITS+BURST_BITS];
  always_comb begin
    beats = COUNT_BITS'(BURST);
    if (near) beats = COUNT_BITS'(BURST) - COUNT_BITS'(addr_q[BYTE_BITS+:BURST_BITS]);
    ends = 24'(beats) >= left_q;
    if (ends) beats = COUNT_BITS'(left_q);
  end
  always_ff @(posedge clk) begin
    if (rst) pending_q <= 1'b0;
    else if (start) pending_q <= 1'b1;
    else if (taken) pending_q <= !ends_q;
    // Whoever starts has nothing pending.
    valid_q <= !rst && pending_q && !taken;
    if (start) left_q <= start_beats;
    else if (taken) left_q <= left_q - 24'(beats_q);
    if (start) addr_q <= start_addr;
    else if (taken) addr_q <= addr_q + (ADDRESS'(beats_q) << BYTE_BITS);
    if (!valid_q) begin
      beats_q <= beats;
      ends_q <= ends;
    end
  end
  logic asking_q;     // an address may be on offer
  logic [AWAY_BITS-1:0] away_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      away_q <= '0;
      asking_q <= 1'b0;
    end else begin
      away_q <= away_q + AWAY_BITS'(taken) - AWAY_BITS'(ended && away_q != '0);
      // While an address is on offer no more get under way. Behind one that was taken there is none for a cycle.
      asking_q <= away_q < AWAY_BITS'(OUTSTANDING);
    end
  end
  assign valid = valid_q && asking_q;
  assign taken = valid && ready;
  assign addr = addr_q;
  assign len = 8'(beats_q - 1'b1);
  assign free = !pending_q;
  assign busy = pending_q || away_q != '0;
endmodule

`default_nettype wire
