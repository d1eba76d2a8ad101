// Simulation model of the vendor's LUT6_2: O5 is the lower half of the table, O6 the whole table.
// A synthesis tool puts its own cell in place of the box.
`default_nettype none

(* blackbox *)
module LUT6_2 #(
  parameter logic [63:0] INIT = 64'h0
) (
  output wire logic O6,
  output wire logic O5,
  input  wire logic I0,
  input  wire logic I1,
  input  wire logic I2,
  input  wire logic I3,
  input  wire logic I4,
  input  wire logic I5
);

  assign O6 = INIT[{I5, I4, I3, I2, I1, I0}];
  assign O5 = INIT[{1'b0, I4, I3, I2, I1, I0}];

endmodule

`default_nettype wire
