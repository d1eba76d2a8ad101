// No part of a stream is lost, doubled, reordered or changed, for sequences of any length.
//
// A beat in carries PUSH units, a beat out POP of them. The solver may choose any unit of any beat to be watched (pick,
// which): the wrapper then counts how many units are ahead of it, and when its turn comes it must have the value that
// went in. Since any unit may be watched and all values are arbitrary, a beat too many or too few before it shows too.
`include "fv.svh"
`default_nettype none

module fv_order #(
  parameter int UNIT = 2,           // bits
  parameter int PUSH = 1,
  parameter int POP = 1,
  parameter int MOST = 4,           // units that may be inside at any time
  parameter int LATENCY = 1,        // cycles after which a whole beat must be offered, whatever the sink does
  parameter bit THROUGH = 1'b0,     // combinational: a beat may come out in the cycle in which it is offered
  localparam int COUNT_BITS = $clog2(MOST + PUSH + POP + 1)
) (
  input  wire logic                 clk,
  input  wire logic                 rst,
  input  wire logic                 pick,
  input  wire logic [7:0]           which,
  input  wire logic                 push,
  input  wire logic [PUSH*UNIT-1:0] push_data,
  input  wire logic                 valid,
  input  wire logic                 pop,
  input  wire logic [POP*UNIT-1:0]  pop_data,
  output logic [COUNT_BITS-1:0]     level   // units inside
);
  localparam int WAIT_BITS = $clog2(LATENCY + 2);
  logic [COUNT_BITS-1:0] ahead_q, ahead, there;
  logic watch_q, watch, start, hit;
  logic [UNIT-1:0] value_q, value;
  logic [WAIT_BITS-1:0] wait_q;
  logic [7:0] place;

  assign place = (which < 8'(PUSH)) ? which : '0;
  assign start = push && pick && !watch_q;
  assign watch = watch_q || start;
  assign ahead = watch_q ? ahead_q : level + COUNT_BITS'(place);
  assign value = watch_q ? value_q : push_data[place*UNIT+:UNIT];
  assign hit = watch && ahead < COUNT_BITS'(POP);
  assign there = level + ((THROUGH && push) ? COUNT_BITS'(PUSH) : '0);

  always_ff @(posedge clk) begin
    if (rst) begin
      level <= '0;
      watch_q <= 1'b0;
      wait_q <= '0;
    end else begin
      level <= level + (push ? COUNT_BITS'(PUSH) : '0) - (pop ? COUNT_BITS'(POP) : '0);
      watch_q <= watch && !(pop && hit);
      wait_q <= (valid || there < COUNT_BITS'(POP)) ? '0 : wait_q + 1'b1;
    end
    value_q <= value;
    ahead_q <= pop ? ahead - COUNT_BITS'(POP) : ahead;
  end

  `FV_ASSERT(none_before_its_input, rst || !valid || there >= COUNT_BITS'(POP))
  `FV_ASSERT(order_and_value, rst || !valid || !hit || pop_data[ahead*UNIT+:UNIT] == value)
  `FV_ASSERT(not_more_than_it_holds, rst || level <= COUNT_BITS'(MOST))
  `FV_ASSERT(offered_in_time, rst || wait_q <= WAIT_BITS'(LATENCY))
  `FV_COVER_POINT(watched_comes_out, !rst && watch && pop && hit)
  `FV_COVER_POINT(watched_comes_late, !rst && watch_q && pop && hit && ahead == COUNT_BITS'(POP - 1))
endmodule

`default_nettype wire
