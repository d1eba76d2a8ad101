// What d was 0 to STEPS cycles ago: q[k] is d of k cycles before. With RESET a reset clears all of them.
`default_nettype none

module bvit_engine_stages #(
  parameter int WIDTH = 1,
  parameter int STEPS = 1,
  parameter bit RESET = 1'b0
) (
  input  wire logic                        clk,
  input  wire logic                        rst,
  input  wire logic [WIDTH-1:0]            d,
  output      logic [STEPS:0][WIDTH-1:0]   q
);
  logic [STEPS-1:0][WIDTH-1:0] line_q;
  always_ff @(posedge clk) begin
    if (RESET && rst) line_q <= '0;
    else line_q <= q[STEPS-1:0];
  end
  assign q = {line_q, d};
  if (!RESET) begin : gen_unused
    logic unused;
    assign unused = rst;
  end
endmodule

`default_nettype wire
