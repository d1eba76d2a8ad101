// Gathers WIDTH / LANES beats into one word: the first beat lies in the low bits.
//
// The word is complete in the very cycle in which its last beat is offered (`last` high), so that
// no cycle and only WIDTH - LANES flip-flops are spent; `word` and `last` are combinational on
// `data` and on the beat counter. `take` accepts the offered beat.
`default_nettype none

module bvit_attention_gather #(
  parameter int WIDTH = 32,
  parameter int LANES = 8
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic take,
  input wire logic [LANES-1:0] data,
  output wire logic [WIDTH-1:0] word,
  output wire logic last
);

  localparam int Beats = WIDTH / LANES;

  if (LANES < 1 || WIDTH % LANES != 0) begin : gen_bad_lanes
    $error("bvit_attention_gather: LANES=%0d does not divide WIDTH=%0d", LANES, WIDTH);
  end

  if (Beats > 1) begin : gen_many
    localparam int BeatBits = $clog2(Beats);
    logic [WIDTH-LANES-1:0] low_q;
    logic [BeatBits-1:0] beat_q;

    assign word = {data, low_q};
    assign last = beat_q == BeatBits'(Beats - 1);

    always_ff @(posedge clk) begin
      if (take) low_q <= word[WIDTH-1:LANES];
      if (rst) beat_q <= '0;
      else if (take) beat_q <= last ? '0 : beat_q + 1'b1;
    end
  end else begin : gen_one
    assign word = data;
    assign last = 1'b1;

    wire logic unused = &{1'b0, clk, rst, take};
  end

endmodule

`default_nettype wire
