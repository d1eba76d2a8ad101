// Three loops of n0 x n1 x n2 turns; with `twice` the inner one runs two times before the middle one goes on.
//
// `level` says what `next` will do: 0 the inner loop goes on, 1 the middle one, 2 the outer one, 3 the inner one
// begins again. `load` goes to the first turn. `last` marks the last turn of all.
`default_nettype none

module bvit_engine_loops (
  input  wire logic        clk,
  input  wire logic        load,
  input  wire logic        next,
  input  wire logic        twice,
  input  wire logic [15:0] n0,
  input  wire logic [15:0] n1,
  input  wire logic [15:0] n2,
  output      logic [15:0] inner,       // index of the inner loop
  output      logic        inner_last,
  output      logic        again,       // the inner loop's second run
  output      logic [1:0]  level,
  output      logic        last
);
  logic [15:0] left0_q, left1_q, inner_q;
  logic again_q;
  assign inner = inner_q;
  assign again = again_q;
  assign inner_last = inner_q == n2 - 16'd1;
  always_comb begin
    if (!inner_last) level = 2'd0;
    else if (twice && !again_q) level = 2'd3;
    else if (left1_q != '0) level = 2'd1;
    else level = 2'd2;
  end
  assign last = level == 2'd2 && left0_q == '0;
  always_ff @(posedge clk) begin
    if (load) begin
      left0_q <= n0 - 16'd1;
      left1_q <= n1 - 16'd1;
      inner_q <= '0;
      again_q <= 1'b0;
    end else if (next) begin
      inner_q <= (level == 2'd0) ? inner_q + 16'd1 : '0;
      if (level != 2'd0) again_q <= level == 2'd3;
      if (level == 2'd1) left1_q <= left1_q - 16'd1;
      else if (level == 2'd2) left1_q <= n1 - 16'd1;
      if (level == 2'd2) left0_q <= left0_q - 16'd1;
    end
  end
endmodule

`default_nettype wire
