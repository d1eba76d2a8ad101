// Receiver of a serial line: a start bit, eight data bits from the lowest on, a stop bit.
//
// Each bit is looked at in its middle, counted from the start bit's edge in sixteenths of a cycle, so
// that no error adds up. A byte whose stop bit is missing is dropped, and so is a start bit that is
// gone by its middle. Bytes come as pulses: nobody can make a line wait. One is told in the middle of
// its stop bit.
`default_nettype none

module bvit_uart_rx #(
  parameter int BIT_SIXTEENTHS = 267  // cycles that a bit lasts, in sixteenths: at least 64
) (
  input  wire logic clk,
  input  wire logic rst,
  input  wire logic line,        // at 1 when idle; of no clock
  output logic [7:0] data,
  output logic       data_valid  // for a cycle
);
  localparam int LeftW = $clog2(BIT_SIXTEENTHS) + 1;

  if (BIT_SIXTEENTHS < 64) begin : gen_too_fast
    $error("bvit_uart_rx: BIT_SIXTEENTHS=%0d; a bit lasts at least 64 sixteenths of a cycle", BIT_SIXTEENTHS);
  end

  (* ASYNC_REG = "TRUE" *) logic [1:0] line_q;
  logic [LeftW-1:0] left_q;  // sixteenths to the next bit's middle
  logic [3:0] bit_q;         // the bit that comes next: 0 start, 1 to 8 data, 9 stop
  logic busy_q, look;
  assign look = busy_q && left_q < LeftW'(16);

  always_ff @(posedge clk) begin
    line_q <= {line_q[0], line};
    if (look) left_q <= left_q + LeftW'(BIT_SIXTEENTHS - 16);
    else left_q <= busy_q ? left_q - LeftW'(16) : LeftW'(BIT_SIXTEENTHS / 2);
    if (look && bit_q != 4'd0 && bit_q != 4'd9) data <= {line_q[1], data[7:1]};
    if (rst) begin
      busy_q <= 1'b0;
      bit_q <= '0;
      data_valid <= 1'b0;
    end else begin
      data_valid <= look && bit_q == 4'd9 && line_q[1];
      if (!busy_q) begin
        busy_q <= !line_q[1];
        bit_q <= '0;
      end else if (look && bit_q == 4'd9) begin
        // Where there is no stop bit the line is waited for at its end.
        busy_q <= !line_q[1];
      end else if (look) begin
        bit_q <= bit_q + 4'd1;
        if (bit_q == 4'd0 && line_q[1]) busy_q <= 1'b0;
      end
    end
  end
endmodule

`default_nettype wire
