// Columns of six bits added up in Xilinx primitives, column c of weight 4**c: the carry chain of
// bvit_popcount_chain, and with one column the 6:3 counter of bvit_popcount_compress.
//
// A column takes two LUTs and two positions of the carry chain. The first one adds the lowest bit to
// the parity of the other five: S is the parity of all six, and the carry multiplexer's other input is
// the lowest bit itself, by the slice's bypass pin. The second one adds "at least four of five" to "at
// least two of five": both functions of the same five inputs, so one LUT6_2 gives S and DI.
`default_nettype none

module bvit_xilinx_chain #(
  parameter int COLUMNS = 2,
  parameter bit ULTRASCALE = 1'b0  // CARRY8 instead of CARRY4
) (
  input  wire logic [COLUMNS*6-1:0] bits,  // column c: bits [c*6 +: 6], the bypassed bit lowest
  output wire logic [2*COLUMNS:0]   sum
);

  localparam logic [63:0] INIT_PARITY = 64'h6996966996696996;
  // Upper half: two or three of five bits are set; lower half: four or five.
  localparam logic [63:0] INIT_SECOND = 64'h177E7EE8E8808000;

  wire logic [2*COLUMNS-1:0] propagate;
  wire logic [2*COLUMNS-1:0] generated;
  wire logic [2*COLUMNS-1:0] total;
  wire logic [2*COLUMNS-1:0] carry;

  for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
    LUT6 #(
      .INIT(INIT_PARITY)
    ) u_parity (
      .O (propagate[2*c]),
      .I0(bits[c*6]),
      .I1(bits[c*6+1]),
      .I2(bits[c*6+2]),
      .I3(bits[c*6+3]),
      .I4(bits[c*6+4]),
      .I5(bits[c*6+5])
    );
    assign generated[2*c] = bits[c*6];

    LUT6_2 #(
      .INIT(INIT_SECOND)
    ) u_second (
      .O6(propagate[2*c+1]),
      .O5(generated[2*c+1]),
      .I0(bits[c*6+1]),
      .I1(bits[c*6+2]),
      .I2(bits[c*6+3]),
      .I3(bits[c*6+4]),
      .I4(bits[c*6+5]),
      .I5(1'b1)
    );
  end

  bvit_xilinx_carry #(
    .WIDTH(2 * COLUMNS),
    .ULTRASCALE(ULTRASCALE)
  ) u_carry (
    .generated,
    .propagate,
    .carry,
    .sum(total)
  );

  assign sum = {carry[2*COLUMNS-1], total};

  wire logic unused_carry = &{1'b0, carry};

endmodule

`default_nettype wire
