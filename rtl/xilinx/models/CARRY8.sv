// Simulation model of UltraScale's CARRY8 as one chain of eight positions. A synthesis tool puts its own cell in
// place of the box.
`default_nettype none

(* blackbox *)
module CARRY8 #(
  parameter CARRY_TYPE = "SINGLE_CY8"  // the only one that is modelled: CI_TOP is without effect
) (
  output wire logic [7:0] CO,
  output wire logic [7:0] O,
  input  wire logic       CI,
  input  wire logic       CI_TOP,
  input  wire logic [7:0] DI,
  input  wire logic [7:0] S
);

  wire logic co0 = S[0] ? CI : DI[0];
  wire logic co1 = S[1] ? co0 : DI[1];
  wire logic co2 = S[2] ? co1 : DI[2];
  wire logic co3 = S[3] ? co2 : DI[3];
  wire logic co4 = S[4] ? co3 : DI[4];
  wire logic co5 = S[5] ? co4 : DI[5];
  wire logic co6 = S[6] ? co5 : DI[6];
  wire logic co7 = S[7] ? co6 : DI[7];

  assign CO = {co7, co6, co5, co4, co3, co2, co1, co0};
  assign O  = S ^ {co6, co5, co4, co3, co2, co1, co0, CI};

  wire logic unused_top = &{1'b0, CI_TOP};

  if (CARRY_TYPE != "SINGLE_CY8") begin : gen_bad_type
    $error("CARRY8: this model has one chain of eight positions only");
  end

endmodule

`default_nettype wire
