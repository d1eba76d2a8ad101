// Signed product in lookup tables: radix-4 Booth over the coefficient.
//
// A row adds -2, -1, 0, 1 or 2 times x to the running sum. One result bit depends on three
// coefficient bits, two bits of x and one bit of the sum: six inputs, hence one LUT6 with its
// carry cell, ceil(C_BITS/2) * (X_BITS + 3) tables in all.
//
// The rows follow each other within a cycle: combinational for CUT 0. Otherwise what the first CUT
// rows make goes through a register, with the operands of the others: latency one enabled cycle.
`default_nettype none

module bvit_booth_mul #(
  parameter int X_BITS = 8,
  parameter int C_BITS = 8,
  parameter int CUT = 0
) (
  input  wire logic                            clk,
  input  wire logic                            en,
  input  wire logic signed [X_BITS-1:0]        x,
  input  wire logic signed [C_BITS-1:0]        c,
  output      logic signed [X_BITS+C_BITS-1:0] p
);
  localparam int ROWS = (C_BITS + 1) / 2;
  localparam int ROW_BITS = X_BITS + 2;

  if (X_BITS < 2 || C_BITS < 2) begin : gen_illegal
    $error("bvit_booth_mul: X_BITS=%0d and C_BITS=%0d must be 2 or more", X_BITS, C_BITS);
  end
  if (CUT < 0 || CUT > ROWS) begin : gen_illegal_cut
    $error("bvit_booth_mul: CUT=%0d must be 0 to %0d, the rows", CUT, ROWS);
  end

  // coefficient sign-extended to whole digits, with the zero below its lowest digit
  logic [2*ROWS:0] digits;
  logic [2*ROWS+X_BITS-1:0] product;
  assign digits = {(2 * ROWS)'(c), 1'b0};

  // operands as the rows behind the register see them
  /* verilator lint_off UNUSEDSIGNAL */
  logic [2*ROWS:0] late_digits;
  logic signed [X_BITS-1:0] late_x;
  /* verilator lint_on UNUSEDSIGNAL */
  if (CUT > 0) begin : gen_late
    logic [2*ROWS:0] digits_q;
    logic signed [X_BITS-1:0] x_q;
    always_ff @(posedge clk) begin
      if (en) begin
        digits_q <= digits;
        x_q <= x;
      end
    end
    assign late_digits = digits_q;
    assign late_x = x_q;
  end else begin : gen_at_once
    assign late_digits = digits;
    assign late_x = x;
    logic unused;
    assign unused = clk ^ en;
  end

  for (genvar k = 0; k < ROWS; k++) begin : gen_row
    logic [2:0] digit;
    logic neg, one, two;
    logic signed [ROW_BITS-1:0] x1, x2, above, sel, sum;
    logic dropped;
    if (k < CUT) begin : gen_early
      assign digit = digits[2*k+:3];
      assign x1 = ROW_BITS'(x);
    end else begin : gen_late
      assign digit = late_digits[2*k+:3];
      assign x1 = ROW_BITS'(late_x);
    end
    assign x2 = x1 <<< 1;
    if (k == 0) begin : gen_first
      assign above = '0;
    end else if (k == CUT) begin : gen_behind
      assign above = gen_row[k-1].seen >>> 2;
    end else begin : gen_next
      assign above = gen_row[k-1].sum >>> 2;
    end
    assign neg = digit[2];
    assign one = digit[1] ^ digit[0];
    assign two = (digit[2] & ~digit[1] & ~digit[0]) | (~digit[2] & digit[1] & digit[0]);
    assign sel = ((x1 & {ROW_BITS{one}}) | (x2 & {ROW_BITS{two}})) ^ {ROW_BITS{neg}};
    // the extra low bit carries the +1 of a negation into the same carry chain
    assign {sum, dropped} = {above, 1'b1} + {sel, neg};
    // the sum as the product takes it: of an early row two bits, of the last of them all
    /* verilator lint_off UNUSEDSIGNAL */
    logic signed [ROW_BITS-1:0] seen;
    /* verilator lint_on UNUSEDSIGNAL */
    if (k < CUT) begin : gen_wait
      logic signed [ROW_BITS-1:0] sum_q;
      always_ff @(posedge clk) if (en) sum_q <= sum;
      assign seen = sum_q;
    end else begin : gen_now
      assign seen = sum;
    end
    if (k < ROWS - 1) begin : gen_low
      assign product[2*k+:2] = seen[1:0];
    end else begin : gen_high
      assign product[2*k+:ROW_BITS] = seen;
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
