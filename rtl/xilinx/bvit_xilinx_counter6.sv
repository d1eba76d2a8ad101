// 6:3 counter for Xilinx 7-series and UltraScale slices: two LUTs and half a CARRY4, or a quarter of a CARRY8.
//
// Position 0 adds the last bit to the parity of the other five: S is the parity of all six, and the
// carry multiplexer's other input is the last bit itself, by the slice's bypass pin. Position 1 adds
// "at least four of five" to "at least two of five": both functions of the same five inputs, so one
// LUT6_2 gives S and DI.
`default_nettype none

module bvit_xilinx_counter6 #(
  parameter bit ULTRASCALE = 1'b0  // CARRY8 instead of CARRY4
) (
  input  wire logic [5:0] bits,
  output wire logic [2:0] count
);

  localparam logic [63:0] INIT_PARITY = 64'h6996966996696996;
  // Upper half: two or three of five bits are set; lower half: four or five.
  localparam logic [63:0] INIT_SECOND = 64'h177E7EE8E8808000;

  wire logic parity;
  wire logic some;
  wire logic many;
  wire logic [3:0] carry;
  wire logic [3:0] sum;

  LUT6 #(
    .INIT(INIT_PARITY)
  ) u_parity (
    .O (parity),
    .I0(bits[0]),
    .I1(bits[1]),
    .I2(bits[2]),
    .I3(bits[3]),
    .I4(bits[4]),
    .I5(bits[5])
  );

  LUT6_2 #(
    .INIT(INIT_SECOND)
  ) u_second (
    .O6(some),
    .O5(many),
    .I0(bits[0]),
    .I1(bits[1]),
    .I2(bits[2]),
    .I3(bits[3]),
    .I4(bits[4]),
    .I5(1'b1)
  );

  bvit_xilinx_carry #(
    .ULTRASCALE(ULTRASCALE)
  ) u_carry (
    .enter    (1'b0),
    .generated({2'b00, many, bits[5]}),
    .propagate({2'b00, some, parity}),
    .carry    (carry),
    .sum      (sum)
  );

  assign count = {carry[1], sum[1:0]};

  wire logic unused_carry = &{1'b0, carry[3:2], carry[0], sum[3:2]};

endmodule

`default_nettype wire
