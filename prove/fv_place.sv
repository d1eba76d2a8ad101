// Where a beat of the first frames belongs; once they are over it stays behind them.
`default_nettype none

module fv_place #(
  parameter int A = 2,
  parameter int B = 2,
  parameter int FRAMES = 2
) (
  input  wire logic       clk,
  input  wire logic       rst,
  input  wire logic       step,
  output logic      [1:0] frame,
  output logic      [1:0] row,
  output logic      [1:0] column
);
  always_ff @(posedge clk) begin
    if (rst) {frame, row, column} <= '0;
    else if (step && int'(frame) < FRAMES) begin
      column <= (int'(column) == B - 1) ? '0 : column + 1'b1;
      if (int'(column) == B - 1) begin
        row <= (int'(row) == A - 1) ? '0 : row + 1'b1;
        if (int'(row) == A - 1) frame <= frame + 1'b1;
      end
    end
  end
endmodule

`default_nettype wire
