// bvit_beat_counter: both counters are the number of steps since reset, modulo beats and modulo beats of a frame.
`include "fv.svh"
`default_nettype none

module fv_beat_counter #(
  parameter int BEATS = 3,
  parameter int ROUNDS = 2,
  parameter bit FRAME = 1'b1,
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1,
  localparam int FRAME_BITS = (ROUNDS * BEATS > 1) ? $clog2(ROUNDS * BEATS) : 1
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic step
);
  logic after_reset;
  logic [BEAT_BITS-1:0] beat;
  logic [FRAME_BITS-1:0] frame_beat;
  fv_reset u_reset (.*);
  bvit_beat_counter #(.BEATS(BEATS), .ROUNDS(ROUNDS), .FRAME(FRAME)) dut (.*);

  logic [15:0] beat_q, frame_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      beat_q <= '0;
      frame_q <= '0;
    end else if (step) begin
      beat_q <= (beat_q + 16'd1 == 16'(BEATS)) ? '0 : beat_q + 16'd1;
      frame_q <= (!FRAME || frame_q + 16'd1 == 16'(ROUNDS * BEATS)) ? '0 : frame_q + 16'd1;
    end
  end
  `FV_ASSERT(counts_beats, rst || 16'(beat) == beat_q)
  `FV_ASSERT(counts_frame, rst || 16'(frame_beat) == frame_q)
  `FV_ASSERT(in_range, rst || (beat_q < 16'(BEATS) && frame_q < 16'(ROUNDS * BEATS)))
  `FV_COVER_POINT(steps, !rst && step && !after_reset && beat_q == 16'(BEATS - 1))
endmodule

`default_nettype wire
