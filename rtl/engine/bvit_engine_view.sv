// A view's address in the turns of bvit_engine_loops: base + i0 * s0 + i1 * s1 + i2 * s2, modulo 2^16.
`default_nettype none

module bvit_engine_view (
  input  wire logic        clk,
  input  wire logic        load,
  input  wire logic        next,
  input  wire logic [1:0]  level,   // of bvit_engine_loops
  input  wire logic [63:0] view,    // base in the low bits, then s0, s1, s2
  output      logic [15:0] addr
);
  logic [15:0] outer_q, middle_q, inner_q, from, stride, moved;
  always_comb begin
    unique case (level)
      2'd0: {from, stride} = {inner_q, view[63:48]};
      2'd1: {from, stride} = {middle_q, view[47:32]};
      2'd2: {from, stride} = {outer_q, view[31:16]};
      default: {from, stride} = {middle_q, 16'd0};
    endcase
  end
  assign moved = from + stride;
  always_ff @(posedge clk) begin
    if (load) begin
      {outer_q, middle_q, inner_q} <= {3{view[15:0]}};
    end else if (next) begin
      inner_q <= moved;
      if (level == 2'd1 || level == 2'd2) middle_q <= moved;
      if (level == 2'd2) outer_q <= moved;
    end
  end
  assign addr = inner_q;
endmodule

`default_nettype wire
