// Regroups a stream of W_IN bits a beat into one of W_OUT bits; the low bits come first.
//
// Any ratio; one beat a cycle on the busier side, no bubbles. Frames must be whole beats on both
// sides. Whole ratios have no registers in the data path of the wider side: ready (and, up, valid)
// is combinational on the other side, latency 0. Other ratios go through lcm(W_IN, W_OUT) bits of
// registers, written in place and read through a multiplexer: latency 1, ready and valid are
// functions of registers only.
`default_nettype none

module bvit_width_converter #(
  parameter int W_IN = 8,   // bits of a beat in
  parameter int W_OUT = 8   // bits of a beat out
) (
  input  wire logic             clk,
  input  wire logic             rst,
  input  wire logic [W_IN-1:0]  s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output logic                  s_axis_tready,
  output logic [W_OUT-1:0]      m_axis_tdata,
  output logic                  m_axis_tvalid,
  input  wire logic             m_axis_tready
);
  if (W_IN < 1 || W_OUT < 1) begin : gen_bad_width
    $error("bvit_width_converter: W_IN and W_OUT must be at least 1");
  end

  if (W_IN == W_OUT) begin : gen_same
    assign m_axis_tdata = s_axis_tdata;
    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = m_axis_tready;
    wire unused = &{1'b0, clk, rst};
  end else if (W_OUT % W_IN == 0) begin : gen_up
    // All parts but the last are kept; the last goes through.
    localparam int Parts = W_OUT / W_IN;
    localparam int PartW = $clog2(Parts);
    logic [W_OUT-W_IN-1:0] kept_q;
    logic [PartW-1:0] part_q;
    logic last;
    assign last = part_q == PartW'(Parts - 1);
    assign m_axis_tdata = {s_axis_tdata, kept_q};
    assign m_axis_tvalid = s_axis_tvalid && last;
    assign s_axis_tready = !last || m_axis_tready;
    always_ff @(posedge clk) begin
      if (rst) part_q <= '0;
      else if (s_axis_tvalid && s_axis_tready) part_q <= last ? '0 : part_q + 1'b1;
    end
    always_ff @(posedge clk) begin
      if (s_axis_tvalid && !last) kept_q <= (W_OUT - W_IN)'({s_axis_tdata, kept_q} >> W_IN);
    end
  end else if (W_IN % W_OUT == 0) begin : gen_down
    // The beat waits at the input while its parts are picked from it.
    localparam int Parts = W_IN / W_OUT;
    localparam int PartW = $clog2(Parts);
    logic [PartW-1:0] part_q;
    logic last;
    assign last = part_q == PartW'(Parts - 1);
    assign m_axis_tdata = s_axis_tdata[part_q*W_OUT +: W_OUT];
    assign m_axis_tvalid = s_axis_tvalid;
    assign s_axis_tready = last && m_axis_tready;
    always_ff @(posedge clk) begin
      if (rst) part_q <= '0;
      else if (s_axis_tvalid && m_axis_tready) part_q <= last ? '0 : part_q + 1'b1;
    end
  end else begin : gen_other
    // In units of the greatest common divisor.
    localparam int Unit = gcd(W_IN, W_OUT);
    localparam int In = W_IN / Unit;
    localparam int Out = W_OUT / Unit;
    localparam int Units = In * Out;
    localparam int UnitsW = $clog2(Units + 1);
    localparam int WriteW = $clog2(Out);
    localparam int ReadW = $clog2(In);
    logic [Units*Unit-1:0] buffer_q;
    logic [UnitsW-1:0] count_q;   // units held
    logic [WriteW-1:0] write_q;   // which of the Out places the next beat goes to
    logic [ReadW-1:0]  read_q;    // which of the In places the next beat comes from
    logic write, read;
    assign m_axis_tdata = buffer_q[read_q*W_OUT +: W_OUT];
    assign m_axis_tvalid = count_q >= UnitsW'(Out);
    assign s_axis_tready = count_q <= UnitsW'(Units - In);
    assign write = s_axis_tvalid && s_axis_tready;
    assign read = m_axis_tvalid && m_axis_tready;
    always_ff @(posedge clk) begin
      if (rst) begin
        count_q <= '0;
        write_q <= '0;
        read_q <= '0;
      end else begin
        count_q <= count_q + (write ? UnitsW'(In) : '0) - (read ? UnitsW'(Out) : '0);
        if (write) write_q <= (write_q == WriteW'(Out - 1)) ? '0 : write_q + 1'b1;
        if (read) read_q <= (read_q == ReadW'(In - 1)) ? '0 : read_q + 1'b1;
      end
    end
    for (genvar i = 0; i < Out; i++) begin : gen_place
      always_ff @(posedge clk) begin
        if (write && write_q == WriteW'(i)) buffer_q[i*W_IN +: W_IN] <= s_axis_tdata;
      end
    end
  end

  function automatic int gcd(input int a, input int b);
    int x, y, t;
    x = a;
    y = b;
    while (y != 0) begin
      t = x % y;
      x = y;
      y = t;
    end
    return x;
  endfunction
endmodule

`default_nettype wire
