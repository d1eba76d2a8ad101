// Loop index 0 .. COUNT-1 that advances on `step`; tells its first and last value. COUNT 1 costs nothing.
//
// Without ADDER each bit toggles where those below it are all ones, for a short index that addresses tables in LUTs:
// beside a carry chain Yosys takes the tables for uncritical and spends up to four times as many LUTs on them.
`default_nettype none

module bvit_loop_counter #(
  parameter int COUNT = 2,
  parameter bit ADDER = 1'b1,
  localparam int BITS = (COUNT > 1) ? $clog2(COUNT) : 1
) (
  input  wire logic            clk,
  input  wire logic            rst,
  input  wire logic            step,
  output      logic [BITS-1:0] index,
  output      logic            first,
  output      logic            last
);
  if (COUNT < 1) begin : gen_illegal
    $error("bvit_loop_counter: COUNT=%0d must be positive", COUNT);
  end

  if (COUNT == 1) begin : gen_one
    assign index = '0;
    assign first = 1'b1;
    assign last = 1'b1;
    logic unused;
    assign unused = ^{clk, rst, step};
  end else begin : gen_many
    logic [BITS-1:0] index_q, index_d;
    if (ADDER) begin : gen_adder
      assign index_d = index_q + 1'b1;
    end else begin : gen_toggle
      assign index_d[0] = ~index_q[0];
      for (genvar i = 1; i < BITS; i++) begin : gen_bit
        assign index_d[i] = index_q[i] ^ (&index_q[i-1:0]);
      end
    end
    always_ff @(posedge clk) begin
      if (rst) index_q <= '0;
      else if (step) index_q <= last ? '0 : index_d;
    end
    assign index = index_q;
    assign first = index_q == '0;
    assign last = index_q == BITS'(COUNT - 1);
  end
endmodule

`default_nettype wire
