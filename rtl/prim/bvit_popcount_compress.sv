// G independent 6:3 counters: six bits of one weight become a three-bit number.
//
// Bit-sliced: bit k of group g is bits[k*G + g], so that a simulator works on whole words.
// Combinational. Three LUT6 a counter in portable form, two LUTs and part of a carry cell with primitives.
`default_nettype none

module bvit_popcount_compress #(
  parameter int G = 1,
  parameter int USE_PRIMITIVES = 0  // see bvit_binary_mvau
) (
  input  wire logic [6*G-1:0] bits,
  output wire logic [  G-1:0] ones,
  output wire logic [  G-1:0] twos,
  output wire logic [  G-1:0] fours
);

  if (USE_PRIMITIVES != 0) begin : gen_primitives
    for (genvar g = 0; g < G; g++) begin : gen_counter
      bvit_xilinx_chain #(
        .COLUMNS(1),
        .ULTRASCALE(USE_PRIMITIVES == 2)
      ) u_counter (
        .bits({bits[5*G+g], bits[4*G+g], bits[3*G+g], bits[2*G+g], bits[G+g], bits[g]}),
        .sum ({fours[g], twos[g], ones[g]})
      );
    end
  end else begin : gen_portable
    wire logic [G-1:0] a = bits[0+:G];
    wire logic [G-1:0] b = bits[G+:G];
    wire logic [G-1:0] c = bits[2*G+:G];
    wire logic [G-1:0] d = bits[3*G+:G];
    wire logic [G-1:0] e = bits[4*G+:G];
    wire logic [G-1:0] f = bits[5*G+:G];
    wire logic [G-1:0] low_sum = a ^ b ^ c;
    wire logic [G-1:0] low_carry = (a & b) | (a & c) | (b & c);
    wire logic [G-1:0] high_sum = d ^ e ^ f;
    wire logic [G-1:0] high_carry = (d & e) | (d & f) | (e & f);
    wire logic [G-1:0] carry = low_sum & high_sum;
    assign ones  = low_sum ^ high_sum;
    assign twos  = low_carry ^ high_carry ^ carry;
    assign fours = (low_carry & high_carry) | (low_carry & carry) | (high_carry & carry);
  end

endmodule

`default_nettype wire
