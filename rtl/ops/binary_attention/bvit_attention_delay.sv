// Delays a word by CYCLES enabled cycles (CYCLES >= 2). Contents are not reset: what comes out
// during the first CYCLES enabled cycles after a reset is undefined, and the user must not look at
// it.
//
// Up to 33 cycles are shift registers (one LUT a bit), more a ring in memory.
`default_nettype none

module bvit_attention_delay #(
  parameter int CYCLES = 8,
  parameter int WIDTH = 15
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic en,
  input wire logic [WIDTH-1:0] d,
  output wire logic [WIDTH-1:0] q
);

  if (CYCLES < 2) begin : gen_bad_cycles
    $error("bvit_attention_delay: CYCLES=%0d must be 2 or more", CYCLES);
  end

  if (CYCLES <= 33) begin : gen_shift
    logic [WIDTH-1:0] line_q[CYCLES];
    always_ff @(posedge clk) begin
      if (en) begin
        line_q[0] <= d;
        for (int i = 1; i < CYCLES; i++) line_q[i] <= line_q[i-1];
      end
    end
    assign q = line_q[CYCLES-1];

    wire logic unused = &{1'b0, rst};
  end else begin : gen_ring
    // Read one ahead of the write, so that the two never meet: CYCLES - 1 in the ring, one in the
    // read register.
    localparam int PtrBits = $clog2(CYCLES);
    logic [PtrBits-1:0] ptr_q, ptr_d;
    assign ptr_d = ptr_q == PtrBits'(CYCLES - 1) ? '0 : ptr_q + 1'b1;
    always_ff @(posedge clk) begin
      if (rst) ptr_q <= '0;
      else if (en) ptr_q <= ptr_d;
    end
    bvit_attention_ram #(
      .DEPTH(CYCLES),
      .LANES(1),
      .LANE_BITS(WIDTH)
    ) u_ram (
      .clk,
      .we(en),
      .waddr(ptr_q),
      .wdata(d),
      .re(en),
      .raddr(ptr_d),
      .rdata(q)
    );
  end

endmodule

`default_nettype wire
