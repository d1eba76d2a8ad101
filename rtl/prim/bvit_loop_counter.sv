// Loop index 0 .. COUNT-1 that advances on `step`; tells its first and last value. COUNT 1 costs nothing.
`default_nettype none

module bvit_loop_counter #(
  parameter int COUNT = 2
) (
  input  wire logic clk,
  input  wire logic rst,
  input  wire logic step,
  output      logic first,
  output      logic last
);
  if (COUNT < 1) begin : gen_illegal
    $error("bvit_loop_counter: COUNT=%0d must be positive", COUNT);
  end

  if (COUNT == 1) begin : gen_one
    assign first = 1'b1;
    assign last = 1'b1;
    logic unused;
    assign unused = ^{clk, rst, step};
  end else begin : gen_many
    localparam int BITS = $clog2(COUNT);
    logic [BITS-1:0] index_q;
    always_ff @(posedge clk) begin
      if (rst) index_q <= '0;
      else if (step) index_q <= last ? '0 : index_q + 1'b1;
    end
    assign first = index_q == '0;
    assign last = index_q == BITS'(COUNT - 1);
  end
endmodule

`default_nettype wire
