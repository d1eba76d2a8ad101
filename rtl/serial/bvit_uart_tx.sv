// Sender of a serial line: a start bit, eight data bits from the lowest on, a stop bit.
//
// One byte after another without a pause; a bit's end is counted in sixteenths of a cycle, so that no
// error adds up. Ready is a register.
`default_nettype none

module bvit_uart_tx #(
  parameter int BIT_SIXTEENTHS = 267  // cycles that a bit lasts, in sixteenths: at least 64
) (
  input  wire logic       clk,
  input  wire logic       rst,
  input  wire logic [7:0] s_axis_tdata,
  input  wire logic       s_axis_tvalid,
  output logic            s_axis_tready,
  output logic            line            // at 1 when idle
);
  localparam int LeftW = $clog2(BIT_SIXTEENTHS) + 1;

  if (BIT_SIXTEENTHS < 64) begin : gen_too_fast
    $error("bvit_uart_tx: BIT_SIXTEENTHS=%0d; a bit lasts at least 64 sixteenths of a cycle", BIT_SIXTEENTHS);
  end

  logic [LeftW-1:0] left_q;  // sixteenths to the bit's end
  logic [9:0] bits_q;        // start bit, data and stop bit, in the low bits those that are left
  logic [3:0] count_q;       // bits that are left
  logic over;
  assign over = left_q < LeftW'(16);

  always_ff @(posedge clk) begin
    if (rst) begin
      count_q <= '0;
      line <= 1'b1;
      s_axis_tready <= 1'b0;
    end else begin
      line <= count_q == '0 || bits_q[0];
      s_axis_tready <= count_q == '0 && !(s_axis_tvalid && s_axis_tready);
      if (s_axis_tvalid && s_axis_tready) count_q <= 4'd10;
      else if (count_q != '0 && over) count_q <= count_q - 4'd1;
    end
    if (s_axis_tvalid && s_axis_tready) begin
      bits_q <= {1'b1, s_axis_tdata, 1'b0};
      left_q <= LeftW'(BIT_SIXTEENTHS);
    end else if (over) begin
      bits_q <= {1'b1, bits_q[9:1]};
      left_q <= left_q + LeftW'(BIT_SIXTEENTHS - 16);
    end else begin
      left_q <= left_q - LeftW'(16);
    end
  end
endmodule

`default_nettype wire
