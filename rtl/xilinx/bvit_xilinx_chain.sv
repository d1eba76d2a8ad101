// The carry chain of bvit_popcount_chain in Xilinx primitives: two LUTs and two chain positions for
// each column of six bits (see bvit_xilinx_counter6), columns linked by the carry.
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
  localparam int CELLS = (COLUMNS + 1) / 2;

  wire logic [4*CELLS-1:0] propagate;
  wire logic [4*CELLS-1:0] generated;
  wire logic [4*CELLS-1:0] total;
  wire logic [4*CELLS-1:0] carry;

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

  if (COLUMNS % 2 != 0) begin : gen_half
    assign propagate[4*CELLS-1-:2] = 2'b00;
    assign generated[4*CELLS-1-:2] = 2'b00;
    wire logic unused_total = &{1'b0, total[4*CELLS-1-:2], carry[4*CELLS-1-:2]};
  end

  for (genvar k = 0; k < CELLS; k++) begin : gen_carry
    wire logic chained;
    if (k == 0) begin : gen_first
      assign chained = 1'b0;
    end else begin : gen_next
      assign chained = carry[4*k-1];
    end
    bvit_xilinx_carry #(
      .ULTRASCALE(ULTRASCALE)
    ) u_carry (
      .enter    (chained),
      .generated(generated[4*k+:4]),
      .propagate(propagate[4*k+:4]),
      .carry    (carry[4*k+:4]),
      .sum      (total[4*k+:4])
    );
  end

  assign sum = {carry[2*COLUMNS-1], total[2*COLUMNS-1:0]};

  wire logic unused_carry = &{1'b0, carry};

endmodule

`default_nettype wire
