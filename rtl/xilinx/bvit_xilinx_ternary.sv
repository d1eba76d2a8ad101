// Sum of three numbers in one LUT a bit: a + b + c, where a is replaced by a constant on demand.
//
// Each LUT6_2 gives the majority of its three bits (O5, the carry of the first adder, which enters
// the next bit) and their sum with the previous majority (O6, the propagate of the carry chain).
`default_nettype none

module bvit_xilinx_ternary #(
  parameter int WIDTH = 10,
  parameter bit [WIDTH-1:0] START = '0,  // stands for a while `restart` is set
  parameter bit ULTRASCALE = 1'b0        // CARRY8 instead of CARRY4
) (
  input  wire logic             restart,
  input  wire logic [WIDTH-1:0] a,
  input  wire logic [WIDTH-1:0] b,
  input  wire logic [WIDTH-1:0] c,
  output wire logic [WIDTH-1:0] sum
);

  // Inputs a, b, c, previous majority, restart; lower half O5, upper half O6.
  localparam logic [63:0] INIT_ZERO = 64'hC33C6996C0C0E8E8;
  localparam logic [63:0] INIT_ONE = 64'h3CC36996FCFCE8E8;

  wire logic [  WIDTH:0] majority;
  wire logic [WIDTH-1:0] propagate;
  wire logic [WIDTH-1:0] carry;

  assign majority[0] = 1'b0;

  for (genvar i = 0; i < WIDTH; i++) begin : gen_bit
    LUT6_2 #(
      .INIT(START[i] ? INIT_ONE : INIT_ZERO)
    ) u_add (
      .O6(propagate[i]),
      .O5(majority[i+1]),
      .I0(a[i]),
      .I1(b[i]),
      .I2(c[i]),
      .I3(majority[i]),
      .I4(restart),
      .I5(1'b1)
    );
  end

  bvit_xilinx_carry #(
    .WIDTH(WIDTH),
    .ULTRASCALE(ULTRASCALE)
  ) u_carry (
    .generated(majority[WIDTH-1:0]),
    .propagate,
    .carry,
    .sum
  );

  wire logic unused_bits = &{1'b0, carry, majority[WIDTH]};

endmodule

`default_nettype wire
