// Signed product in lookup tables, combinational: radix-4 Booth over the coefficient.
//
// A row adds -2, -1, 0, 1 or 2 times x to the running sum. One result bit depends on three
// coefficient bits, two bits of x and one bit of the sum: six inputs, hence one LUT6 with its
// carry cell, ceil(C_BITS/2) * (X_BITS + 3) tables in all.
`default_nettype none

module bvit_booth_mul #(
  parameter int X_BITS = 8,
  parameter int C_BITS = 8
) (
  input  wire logic signed [X_BITS-1:0]        x,
  input  wire logic signed [C_BITS-1:0]        c,
  output      logic signed [X_BITS+C_BITS-1:0] p
);
  localparam int ROWS = (C_BITS + 1) / 2;
  localparam int ROW_BITS = X_BITS + 2;

  if (X_BITS < 2 || C_BITS < 2) begin : gen_illegal
    $error("bvit_booth_mul: X_BITS=%0d and C_BITS=%0d must be 2 or more", X_BITS, C_BITS);
  end

  // coefficient sign-extended to whole digits, with the zero below its lowest digit
  logic [2*ROWS:0] digits;
  logic [2*ROWS+X_BITS-1:0] product;
  assign digits = {(2 * ROWS)'(c), 1'b0};

  logic signed [ROW_BITS-1:0] x1, x2;
  assign x1 = ROW_BITS'(x);
  assign x2 = ROW_BITS'(x) <<< 1;

  for (genvar k = 0; k < ROWS; k++) begin : gen_row
    logic neg, one, two;
    logic signed [ROW_BITS-1:0] above, sel, sum;
    logic dropped;
    if (k == 0) begin : gen_first
      assign above = '0;
    end else begin : gen_next
      assign above = gen_row[k-1].sum >>> 2;
    end
    assign neg = digits[2*k+2];
    assign one = digits[2*k+1] ^ digits[2*k];
    assign two = (digits[2*k+2] & ~digits[2*k+1] & ~digits[2*k])
               | (~digits[2*k+2] & digits[2*k+1] & digits[2*k]);
    assign sel = ((x1 & {ROW_BITS{one}}) | (x2 & {ROW_BITS{two}})) ^ {ROW_BITS{neg}};
    // the extra low bit carries the +1 of a negation into the same carry chain
    assign {sum, dropped} = {above, 1'b1} + {sel, neg};
    if (k < ROWS - 1) begin : gen_low
      assign product[2*k+:2] = sum[1:0];
    end else begin : gen_high
      assign product[2*k+:ROW_BITS] = sum;
    end
    logic unused;
    assign unused = dropped;
  end

  if (C_BITS % 2 == 0) begin : gen_even
    assign p = product;
  end else begin : gen_odd
    assign p = product[X_BITS+C_BITS-1:0];
    logic unused;
    assign unused = product[X_BITS+C_BITS];
  end
endmodule

`default_nettype wire
