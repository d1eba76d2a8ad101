// Two nested counters that address the memories of a folded operator: `beat` counts 0 .. BEATS-1,
// and with FRAME `frame_beat` counts 0 .. ROUNDS*BEATS-1. Both show the beat to be taken next.
//
// Short counters are written without an adder: beside a carry chain Yosys takes the tables that the
// counter addresses for uncritical and spends up to four times as many LUTs on them.
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
    logic [FRAME_BITS-1:0] frame_q, frame_next;
    if (FRAME_BITS > 10) begin : gen_adder
      assign frame_next = frame_q + 1'b1;
    end else begin : gen_toggle
      assign frame_next[0] = ~frame_q[0];
      for (genvar i = 1; i < FRAME_BITS; i++) begin : gen_bit
        assign frame_next[i] = frame_q[i] ^ (&frame_q[i-1:0]);
      end
    end
    always_ff @(posedge clk) begin
      if (rst) frame_q <= '0;
      else if (step) begin
        if (frame_q == FRAME_BITS'(ROUNDS * BEATS - 1)) frame_q <= '0;
        else frame_q <= frame_next;
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
    logic [BEAT_BITS-1:0] beat_q, beat_next;
    assign beat_next[0] = ~beat_q[0];
    for (genvar i = 1; i < BEAT_BITS; i++) begin : gen_toggle
      assign beat_next[i] = beat_q[i] ^ (&beat_q[i-1:0]);
    end
    always_ff @(posedge clk) begin
      if (rst) beat_q <= '0;
      else if (step) beat_q <= (beat_q == BEAT_BITS'(BEATS - 1)) ? '0 : beat_next;
    end
    assign beat = beat_q;
  end

  if ((FRAME ? ROUNDS : 1) * BEATS == 1) begin : gen_constant
    logic unused;
    assign unused = &{1'b0, clk, rst, step};
  end
endmodule

`default_nettype wire
