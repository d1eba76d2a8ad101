// Three loops of n0 x n1 x n2 turns; with `twice` the inner one runs two times before the middle one goes on.
//
// `level` says what `next` will do: 0 the inner loop goes on, 1 the middle one, 2 the outer one, 3 the inner one
// begins again. `load` goes to the first turn; counts are there a cycle before. `last` marks the last turn of all.
// What an index is compared with, and what `next` will do, are registers: views wait for no comparison.
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
  // Of the counts: those less one, and whether there is one turn only
  logic [15:0] less0_q, less1_q, last2_q;
  logic single0_q, single1_q, single2_q;
  always_ff @(posedge clk) begin
    less0_q <= n0 - 16'd1;
    less1_q <= n1 - 16'd1;
    last2_q <= n2 - 16'd2;   // the index before the last one
    single0_q <= n0 == 16'd1;
    single1_q <= n1 == 16'd1;
    single2_q <= n2 == 16'd1;
  end

  logic [15:0] left0_q, left1_q, inner_q;
  logic again_q, inner_last_q, middle_last_q, outer_last_q;
  logic again_d, inner_last_d, middle_last_d, outer_last_d, last_q;
  logic [1:0] level_q;
  assign inner = inner_q;
  assign again = again_q;
  assign inner_last = inner_last_q;
  assign level = level_q;
  // The next turn. `level_q` says the same, but to all views: what it follows from is nearer.
  logic goes_on, repeats, steps_on, begins;   // levels 0, 3, 1, 2
  assign goes_on = !inner_last_q;
  assign repeats = inner_last_q && twice && !again_q;
  assign steps_on = inner_last_q && !repeats && !middle_last_q;
  assign begins = inner_last_q && !repeats && middle_last_q;
  assign last = last_q;
  always_comb begin
    again_d = goes_on ? again_q : repeats;
    inner_last_d = goes_on ? inner_q == last2_q : single2_q;
    middle_last_d = middle_last_q;
    if (steps_on) middle_last_d = left1_q == 16'd1;
    else if (begins) middle_last_d = single1_q;
    outer_last_d = begins ? left0_q == 16'd1 : outer_last_q;
    if (load) begin
      outer_last_d = single0_q;
      again_d = 1'b0;
      middle_last_d = single1_q;
      inner_last_d = single2_q;
    end
  end
  always_ff @(posedge clk) begin
    if (load) begin
      left0_q <= less0_q;
      left1_q <= less1_q;
      inner_q <= '0;
    end else if (next) begin
      inner_q <= goes_on ? inner_q + 16'd1 : '0;
      if (steps_on) left1_q <= left1_q - 16'd1;
      else if (begins) left1_q <= less1_q;
      if (begins) left0_q <= left0_q - 16'd1;
    end
    if (load || next) begin
      again_q <= again_d;
      inner_last_q <= inner_last_d;
      middle_last_q <= middle_last_d;
      outer_last_q <= outer_last_d;
      last_q <= inner_last_d && (!twice || again_d) && middle_last_d && outer_last_d;
      if (!inner_last_d) level_q <= 2'd0;
      else if (twice && !again_d) level_q <= 2'd3;
      else if (!middle_last_d) level_q <= 2'd1;
      else level_q <= 2'd2;
    end
  end
endmodule

`default_nettype wire
