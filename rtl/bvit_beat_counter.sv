// Two nested counters that address the memories of a folded operator: `beat` counts 0 ..
// BEATS-1, and with FRAME `frame_beat` counts 0 .. ROUNDS*BEATS-1. Both show the beat to be
// taken next.
`default_nettype none

module bvit_beat_counter #(
  parameter int BEATS = 2,
  parameter int ROUNDS = 1,
  parameter bit FRAME = 1'b0,
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1,
  localparam int FRAME_BITS = (ROUNDS * BEATS > 1) ? $clog2(ROUNDS * BEATS) : 1
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  step,
  output      logic [ BEAT_BITS-1:0] beat,
  output      logic [FRAME_BITS-1:0] frame_beat
);
  if (FRAME && ROUNDS * BEATS > 1) begin : gen_frame
    logic [FRAME_BITS-1:0] frame_q;
    always_ff @(posedge clk) begin
      if (rst) frame_q <= '0;
      else if (step) begin
        frame_q <= (frame_q == FRAME_BITS'(ROUNDS * BEATS - 1)) ? '0 : frame_q + 1'b1;
      end
    end
    assign frame_beat = frame_q;
  end else begin : gen_no_frame
    assign frame_beat = '0;
  end

  if (BEATS == 1) begin : gen_one
    assign beat = '0;
  end else if (FRAME && (1 << BEAT_BITS) == BEATS) begin : gen_low_bits
    assign beat = frame_beat[BEAT_BITS-1:0];
  end else begin : gen_beat
    logic [BEAT_BITS-1:0] beat_q;
    always_ff @(posedge clk) begin
      if (rst) beat_q <= '0;
      else if (step) beat_q <= (beat_q == BEAT_BITS'(BEATS - 1)) ? '0 : beat_q + 1'b1;
    end
    assign beat = beat_q;
  end

  if ((FRAME ? ROUNDS : 1) * BEATS == 1) begin : gen_constant
    logic unused;
    assign unused = &{1'b0, clk, rst, step};
  end
endmodule

`default_nettype wire
