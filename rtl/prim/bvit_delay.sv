// Delay by a fixed number of enabled cycles: before an enabled edge, q is what d was STEPS enabled
// edges ago.
//
// Contents are not reset; whoever uses it must know which of the first STEPS words to ignore. Up to
// SHIFT_STEPS steps are a shift register, more are a ring in memory with the read register as the
// last step (STYLE as in bvit_ram).
`default_nettype none

module bvit_delay #(
  parameter int WIDTH = 8,
  parameter int STEPS = 4,
  parameter int SHIFT_STEPS = 3,
  parameter int STYLE = 0
) (
  input  wire logic             clk,
  input  wire logic             rst,
  input  wire logic             en,
  input  wire logic [WIDTH-1:0] d,
  output      logic [WIDTH-1:0] q
);
  if (STEPS < 1 || SHIFT_STEPS < 2) begin : gen_illegal
    $error("bvit_delay: STEPS=%0d must be positive, SHIFT_STEPS=%0d 2 or more", STEPS, SHIFT_STEPS);
  end

  if (STEPS <= SHIFT_STEPS) begin : gen_shift
    logic [WIDTH-1:0] line_q[STEPS];
    always_ff @(posedge clk) begin
      if (en) begin
        line_q[0] <= d;
        for (int i = 1; i < STEPS; i++) line_q[i] <= line_q[i-1];
      end
    end
    assign q = line_q[STEPS-1];
    logic unused;
    assign unused = rst;
  end else begin : gen_ring
    localparam int WORDS = STEPS - 1;
    localparam int ADDR_BITS = $clog2(WORDS);
    logic [ADDR_BITS-1:0] addr_q;
    always_ff @(posedge clk) begin
      if (rst) addr_q <= '0;
      else if (en) addr_q <= (addr_q == ADDR_BITS'(WORDS - 1)) ? '0 : addr_q + 1'b1;
    end
    bvit_ram #(
      .DEPTH(WORDS),
      .LANE_BITS(WIDTH),
      .STYLE(STYLE)
    ) u_ram (
      .clk,
      .we(en),
      .waddr(addr_q),
      .wdata(d),
      .re(en),
      .raddr(addr_q),
      .rdata(q)
    );
  end
endmodule

`default_nettype wire
