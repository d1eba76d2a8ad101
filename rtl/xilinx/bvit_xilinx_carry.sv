// Four positions of a Xilinx carry chain: a CARRY4 of 7-series slices, or half of UltraScale's CARRY8.
//
// UltraScale has one CARRY8 for the eight LUTs of a slice; its upper half is left alone here, so each
// instance takes one.
`default_nettype none

module bvit_xilinx_carry #(
  parameter bit ULTRASCALE = 1'b0
) (
  input  wire logic       enter,      // carry into position 0
  input  wire logic [3:0] generated,  // carry out where nothing is propagated
  input  wire logic [3:0] propagate,
  output wire logic [3:0] carry,      // out of each position
  output wire logic [3:0] sum
);

  if (ULTRASCALE) begin : gen_carry8
    wire logic [7:0] all_carries;
    wire logic [7:0] all_sums;
    CARRY8 #(
      .CARRY_TYPE("SINGLE_CY8")
    ) u_carry (
      .CO    (all_carries),
      .O     (all_sums),
      .CI    (enter),
      .CI_TOP(1'b0),
      .DI    ({4'b0000, generated}),
      .S     ({4'b0000, propagate})
    );
    assign carry = all_carries[3:0];
    assign sum = all_sums[3:0];
    wire logic unused_half = &{1'b0, all_carries[7:4], all_sums[7:4]};
  end else begin : gen_carry4
    CARRY4 u_carry (
      .CO    (carry),
      .O     (sum),
      .CI    (enter),
      .CYINIT(1'b0),
      .DI    (generated),
      .S     (propagate)
    );
  end

endmodule

`default_nettype wire
