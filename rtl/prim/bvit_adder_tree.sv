// Sum of N signed values, a register after each level of two-input adders.
//
// Throughput one sum a cycle; latency clog2(N) enabled cycles (none for N = 1).
`default_nettype none

module bvit_adder_tree #(
  parameter int N = 2,
  parameter int BITS = 8,
  localparam int SUM_BITS = BITS + $clog2(N)
) (
  /* verilator lint_off UNUSEDSIGNAL */
  input  wire logic                       clk,
  input  wire logic                       en,
  /* verilator lint_on UNUSEDSIGNAL */
  input  wire logic [N-1:0][BITS-1:0]     x,
  output      logic signed [SUM_BITS-1:0] sum
);
  localparam int LEVELS = $clog2(N);

  for (genvar level = 0; level <= LEVELS; level++) begin : gen_level
    localparam int W = BITS + level;
    localparam int COUNT = (N + (1 << level) - 1) >> level;
    logic signed [W-1:0] value[COUNT];
    if (level == 0) begin : gen_leaf
      for (genvar i = 0; i < COUNT; i++) begin : gen_term
        assign value[i] = x[i];
      end
    end else begin : gen_add
      localparam int BELOW = (N + (1 << (level - 1)) - 1) >> (level - 1);
      for (genvar i = 0; i < COUNT; i++) begin : gen_term
        if (2 * i + 1 < BELOW) begin : gen_pair
          always_ff @(posedge clk) begin
            if (en) begin
              value[i] <= W'(gen_level[level-1].value[2*i]) + W'(gen_level[level-1].value[2*i+1]);
            end
          end
        end else begin : gen_odd
          always_ff @(posedge clk) if (en) value[i] <= W'(gen_level[level-1].value[2*i]);
        end
      end
    end
  end
  assign sum = gen_level[LEVELS].value[0];
endmodule

`default_nettype wire
