// Sum of N values, signed or not, a register after each level of two-input adders.
//
// Throughput one sum a cycle; latency clog2(N) enabled cycles (none for N = 1). Data only: nothing is
// reset.
`default_nettype none

module bvit_adder_tree #(
  parameter int N = 2,
  parameter int BITS = 8,
  parameter bit SIGNED = 1'b1,
  localparam int SUM_BITS = BITS + $clog2(N)
) (
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic                   clk,
  input  wire logic                   en,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire logic [N-1:0][BITS-1:0] x,
  output      logic [SUM_BITS-1:0]    sum
);
  localparam int LEVELS = $clog2(N);

  for (genvar level = 0; level <= LEVELS; level++) begin : gen_level
    localparam int W = BITS + level;
    localparam int COUNT = (N + (1 << level) - 1) >> level;
    logic [COUNT-1:0][W-1:0] value;
    if (level == 0) begin : gen_leaf
      assign value = x;
    end else begin : gen_add
      localparam int BELOW = (N + (1 << (level - 1)) - 1) >> (level - 1);
      for (genvar i = 0; i < COUNT; i++) begin : gen_term
        logic [W-2:0] left;
        assign left = gen_level[level-1].value[2*i];
        if (2 * i + 1 < BELOW) begin : gen_pair
          logic [W-2:0] right;
          assign right = gen_level[level-1].value[2*i+1];
          always_ff @(posedge clk) begin
            if (en) value[i] <= {SIGNED & left[W-2], left} + {SIGNED & right[W-2], right};
          end
        end else begin : gen_odd
          always_ff @(posedge clk) if (en) value[i] <= {SIGNED & left[W-2], left};
        end
      end
    end
  end
  assign sum = gen_level[LEVELS].value[0];
endmodule

`default_nettype wire
