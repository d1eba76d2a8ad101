// Simulation model of the vendor's CARRY4: four positions of a carry chain. Of CI and CYINIT at most
// one is used, the other is tied low. A synthesis tool puts its own cell in place of the box.
`default_nettype none

(* blackbox *)
module CARRY4 (
  output wire logic [3:0] CO,
  output wire logic [3:0] O,
  input  wire logic       CI,
  input  wire logic       CYINIT,
  input  wire logic [3:0] DI,
  input  wire logic [3:0] S
);

  wire logic enter = CI | CYINIT;
  wire logic co0 = S[0] ? enter : DI[0];
  wire logic co1 = S[1] ? co0 : DI[1];
  wire logic co2 = S[2] ? co1 : DI[2];
  wire logic co3 = S[3] ? co2 : DI[3];

  assign CO = {co3, co2, co1, co0};
  assign O  = S ^ {co2, co1, co0, enter};

endmodule

`default_nettype wire
