// Columns of up to six bits, four times heavier from one to the next, added to one binary number by
// a single carry chain.
//
// Of a column's bits the last one and the parity of the others are the two summands at the column's
// own weight; "at least two" and "at least four" of the others are the two summands at twice that
// weight. So a column takes two positions of the chain, and the carry of the column below comes in
// for nothing: seven bits in, two bits and a carry out, for two LUTs (the two functions of the
// second position share their five inputs) and half a CARRY4.
//
// Combinational. Lane-wise: bit i of lane j is bits[i*LANES + j]; columns lie one after another,
// column 0 lowest; row of lane j is rows[j*WIDTH +: WIDTH].
`default_nettype none

module bvit_popcount_chain #(
  parameter int COLUMNS = 2,
  // Height of column c in bits [c*16 +: 16], 0 .. 6.
  parameter bit [255:0] HEIGHTS = {240'd6, 16'd6},
  parameter int TOTAL = 12,   // sum of the heights
  parameter int LANES = 1,
  parameter int WIDTH = 5,    // bits of a row; the sum must fit
  parameter int USE_PRIMITIVES = 0  // see bvit_binary_mvau
) (
  input  wire logic [TOTAL*LANES-1:0] bits,
  output wire logic [WIDTH*LANES-1:0] rows
);

  localparam int FULL = 2 * COLUMNS + 1;

  function automatic int column_height(input int column);
    return int'(HEIGHTS[column*16+:16]);
  endfunction

  function automatic int first_bit(input int column);
    int total;
    total = 0;
    for (int c = 0; c < column; c++) total = total + column_height(c);
    return total;
  endfunction

  if (first_bit(COLUMNS) != TOTAL) begin : gen_bad_total
    $error("bvit_popcount_chain: TOTAL is not the sum of the heights");
  end
  if (WIDTH > FULL) begin : gen_bad_width
    $error("bvit_popcount_chain: WIDTH is wider than the chain");
  end

  for (genvar j = 0; j < LANES; j++) begin : gen_lane
    // Column c in column_bits[c*6 +: 6], last bit first, zeros above its height.
    wire logic [COLUMNS*6-1:0] column_bits;
    wire logic [     FULL-1:0] sum;

    for (genvar c = 0; c < COLUMNS; c++) begin : gen_column
      localparam int H = column_height(c);
      localparam int FIRST = first_bit(c);
      if (H > 6) begin : gen_bad_height
        $error("bvit_popcount_chain: a column is higher than six");
      end
      for (genvar i = 0; i < 6; i++) begin : gen_bit
        if (i < H) begin : gen_used
          assign column_bits[c*6+i] = bits[(FIRST+H-1-i)*LANES+j];
        end else begin : gen_zero
          assign column_bits[c*6+i] = 1'b0;
        end
      end
    end

    if (USE_PRIMITIVES != 0) begin : gen_primitives
      bvit_xilinx_chain #(
        .COLUMNS   (COLUMNS),
        .ULTRASCALE(USE_PRIMITIVES == 2)
      ) u_chain (
        .bits(column_bits),
        .sum (sum)
      );
    end else begin : gen_portable
      wire logic [FULL-1:0] addend;
      wire logic [FULL-1:0] augend;
      for (genvar c = 0; c < COLUMNS; c++) begin : gen_summand
        wire logic last;
        wire logic [4:0] t;
        assign {t, last} = column_bits[c*6+:6];
        wire logic low_sum = t[0] ^ t[1] ^ t[2];
        wire logic low_carry = (t[0] & t[1]) | (t[0] & t[2]) | (t[1] & t[2]);
        wire logic high_carry = (low_sum & t[3]) | (low_sum & t[4]) | (t[3] & t[4]);
        assign addend[2*c+:2] = {low_carry & high_carry, last};
        assign augend[2*c+:2] = {low_carry | high_carry, ^t};
      end
      assign addend[FULL-1] = 1'b0;
      assign augend[FULL-1] = 1'b0;
      assign sum = addend + augend;
    end

    assign rows[j*WIDTH+:WIDTH] = sum[WIDTH-1:0];
    if (FULL > WIDTH) begin : gen_spare
      // Beyond the largest sum: always zero.
      wire logic unused_sum = &{1'b0, sum[FULL-1:WIDTH]};
    end
  end

endmodule

`default_nettype wire
