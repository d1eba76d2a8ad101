// Simulation model of the vendor's LUT6; a synthesis tool puts its own cell in place of the box.
`default_nettype none

(* blackbox *)
module LUT6 #(
  parameter logic [63:0] INIT = 64'h0
) (
  output wire logic O,
  input  wire logic I0,
  input  wire logic I1,
  input  wire logic I2,
  input  wire logic I3,
  input  wire logic I4,
  input  wire logic I5
);

  assign O = INIT[{I5, I4, I3, I2, I1, I0}];

endmodule

`default_nettype wire
