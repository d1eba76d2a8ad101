// A carry chain of WIDTH positions in Xilinx cells: CARRY4 of 7-series slices, or UltraScale's CARRY8.
//
// Each cell's carry enters the next one by its last position, the only one with a wire of its own to a
// neighbour's carry input: all cells but the last one are used whole.
`default_nettype none

module bvit_xilinx_carry #(
  parameter int WIDTH = 4,
  parameter bit ULTRASCALE = 1'b0
) (
  input  wire logic [WIDTH-1:0] generated,  // carry out where nothing is propagated
  input  wire logic [WIDTH-1:0] propagate,
  output wire logic [WIDTH-1:0] carry,      // out of each position
  output wire logic [WIDTH-1:0] sum
);
  if (WIDTH < 1) begin : gen_illegal
    $error("bvit_xilinx_carry: WIDTH=%0d must be positive", WIDTH);
  end

  localparam int SIZE = ULTRASCALE ? 8 : 4;
  localparam int CELLS = (WIDTH + SIZE - 1) / SIZE;
  localparam int PLACES = SIZE * CELLS;

  wire logic [PLACES-1:0] data = PLACES'(generated);
  wire logic [PLACES-1:0] select = PLACES'(propagate);
  wire logic [PLACES-1:0] carries;
  wire logic [PLACES-1:0] sums;

  for (genvar k = 0; k < CELLS; k++) begin : gen_cell
    wire logic enter;
    if (k == 0) begin : gen_first
      assign enter = 1'b0;
    end else begin : gen_next
      assign enter = carries[SIZE*k-1];
    end
    if (ULTRASCALE) begin : gen_carry8
      CARRY8 #(
        .CARRY_TYPE("SINGLE_CY8")
      ) u_carry (
        .CO    (carries[SIZE*k+:SIZE]),
        .O     (sums[SIZE*k+:SIZE]),
        .CI    (enter),
        .CI_TOP(1'b0),
        .DI    (data[SIZE*k+:SIZE]),
        .S     (select[SIZE*k+:SIZE])
      );
    end else begin : gen_carry4
      CARRY4 u_carry (
        .CO    (carries[SIZE*k+:SIZE]),
        .O     (sums[SIZE*k+:SIZE]),
        .CI    (enter),
        .CYINIT(1'b0),
        .DI    (data[SIZE*k+:SIZE]),
        .S     (select[SIZE*k+:SIZE])
      );
    end
  end

  assign carry = carries[WIDTH-1:0];
  assign sum = sums[WIDTH-1:0];

  wire logic unused_places = &{1'b0, carries, sums};

endmodule

`default_nettype wire
