// Running sums of LANES popcounts, each given as two rows.
//
// START replaces the sum so far when `first` comes with a beat. In portable form the rows are added
// in a register stage of their own, with primitives one LUT a bit adds both rows to the sum.
// One beat a cycle; the pipeline stops while `en` is low. Latency in enabled cycles: 2 portable, 1
// with primitives. `done` rises with the sum that the beat marked `last` completed; it is cleared by
// `taken` and by any enabled cycle that completes no sum.
`default_nettype none

module bvit_popcount_accumulate #(
  parameter int LANES = 32,
  parameter int BITS = 7,    // width of a row
  parameter int WIDTH = 10,  // width of a sum, two's complement, at least BITS
  parameter bit [WIDTH-1:0] START = '0,
  parameter bit ONE_ROW = 1'b0,  // row_b is zero
  parameter int USE_PRIMITIVES = 0  // see bvit_binary_mvau
) (
  input  wire logic                   clk,
  input  wire logic                   rst,
  input  wire logic                   en,
  input  wire logic                   valid,
  input  wire logic                   first,
  input  wire logic                   last,
  input  wire logic [ BITS*LANES-1:0] row_a,
  input  wire logic [ BITS*LANES-1:0] row_b,
  input  wire logic                   taken,
  output wire logic                   done,
  output wire logic [WIDTH*LANES-1:0] sums   // lane j: [j*WIDTH +: WIDTH]
);

  wire logic add;
  wire logic restart;
  wire logic finish;
  logic [WIDTH*LANES-1:0] sums_d;
  logic [WIDTH*LANES-1:0] sums_q;
  logic done_q;

  if (WIDTH < BITS) begin : gen_bad_width
    $error("bvit_popcount_accumulate: WIDTH is below BITS; a sum must hold a row");
  end

  if (USE_PRIMITIVES != 0 && !ONE_ROW) begin : gen_primitives
    assign {add, restart, finish} = {valid, first, last};
    for (genvar j = 0; j < LANES; j++) begin : gen_lane
      bvit_xilinx_ternary #(
        .WIDTH(WIDTH),
        .START(START),
        .ULTRASCALE(USE_PRIMITIVES == 2)
      ) u_add (
        .restart,
        .a  (sums_q[j*WIDTH+:WIDTH]),
        .b  (WIDTH'(row_a[j*BITS+:BITS])),
        .c  (WIDTH'(row_b[j*BITS+:BITS])),
        .sum(sums_d[j*WIDTH+:WIDTH])
      );
    end
  end else begin : gen_portable
    wire logic [BITS*LANES-1:0] count;
    if (ONE_ROW) begin : gen_one
      assign count = row_a;
      assign {add, restart, finish} = {valid, first, last};
      wire logic unused_row = &{1'b0, row_b};
    end else begin : gen_two
      logic [BITS*LANES-1:0] count_q;
      logic [2:0] tags_q;
      for (genvar j = 0; j < LANES; j++) begin : gen_lane
        always_ff @(posedge clk) begin
          if (en) count_q[j*BITS+:BITS] <= row_a[j*BITS+:BITS] + row_b[j*BITS+:BITS];
        end
      end
      always_ff @(posedge clk) begin
        if (rst) tags_q <= '0;
        else if (en) tags_q <= {valid, first, last};
      end
      assign count = count_q;
      assign {add, restart, finish} = tags_q;
    end
    for (genvar j = 0; j < LANES; j++) begin : gen_lane
      assign sums_d[j*WIDTH+:WIDTH] = WIDTH'(count[j*BITS+:BITS])
          + (restart ? START : sums_q[j*WIDTH+:WIDTH]);
    end
  end

  always_ff @(posedge clk) if (en && add) sums_q <= sums_d;

  always_ff @(posedge clk) begin
    if (rst) done_q <= 1'b0;
    else if (en) done_q <= add && finish;
    else if (taken) done_q <= 1'b0;
  end

  assign sums = sums_q;
  assign done = done_q;

endmodule

`default_nettype wire
