// Buffer of two groups that plays each group over and over: a group is CHUNKS chunks of BEATS beats;
// every chunk is played INNER times in a row, the whole group OUTER times.
//
// Throughput one beat out a cycle, no bubbles within or between groups as long as the next group's
// beats are there; they are taken while the present group plays. Latency 2 cycles. Input ready does
// not depend on output ready; an output beat is read from memory when the last one is taken.
`default_nettype none

module bvit_replay #(
  parameter int WIDTH = 8,
  parameter int BEATS = 4,
  parameter int CHUNKS = 1,
  parameter int INNER = 1,
  parameter int OUTER = 2,
  parameter bit BLOCK = 1'b0
) (
  input  wire logic             clk,
  input  wire logic             rst,
  input  wire logic [WIDTH-1:0] s_axis_tdata,
  input  wire logic             s_axis_tvalid,
  output      logic             s_axis_tready,
  output      logic [WIDTH-1:0] m_axis_tdata,
  output      logic             m_axis_tvalid,
  input  wire logic             m_axis_tready
);
  if (WIDTH < 1 || BEATS < 1 || CHUNKS < 1 || INNER < 1 || OUTER < 1) begin : gen_illegal
    $error("bvit_replay: WIDTH, BEATS, CHUNKS, INNER and OUTER must be positive");
  end

  localparam int GROUP = CHUNKS * BEATS;
  localparam int WORDS = 2 * GROUP;
  localparam int ADDR_BITS = $clog2(WORDS);
  localparam int COUNT_BITS = $clog2(WORDS + 1);

  logic write, read, free;
  logic last_beat, last_inner, last_chunk, last_outer;
  logic full;

  // ---- write side: beats in a ring of two groups
  logic [ ADDR_BITS-1:0] waddr_q;
  logic [COUNT_BITS-1:0] used_q;  // words written and not yet played for the last time
  assign full = used_q == COUNT_BITS'(WORDS);
  assign s_axis_tready = !full;
  assign write = s_axis_tvalid && s_axis_tready;
  always_ff @(posedge clk) begin
    if (rst) begin
      waddr_q <= '0;
      used_q <= '0;
    end else begin
      if (write) waddr_q <= (waddr_q == ADDR_BITS'(WORDS - 1)) ? '0 : waddr_q + 1'b1;
      if (write != free) used_q <= write ? used_q + 1'b1 : used_q - 1'b1;
    end
  end

  // ---- read side: four nested loops
  logic [ADDR_BITS-1:0] raddr_q, raddr_d;
  logic half_q;  // the group that is being played lies in the upper half
  logic valid_q, en;
  assign en = !valid_q || m_axis_tready;
  // A word that has been there once stays until its last play, so equal addresses mean that it is
  // missing or, when full, that the next word to be written would take its place.
  assign read = en && (raddr_q != waddr_q || full);
  assign free = read && last_inner && last_outer;

  always_comb begin
    raddr_d = raddr_q + 1'b1;
    if (last_beat && !last_inner) raddr_d = raddr_q - ADDR_BITS'(BEATS - 1);
    else if (last_beat && last_chunk) begin
      raddr_d = (half_q == last_outer) ? '0 : ADDR_BITS'(GROUP);
    end
  end
  always_ff @(posedge clk) begin
    if (rst) begin
      raddr_q <= '0;
      half_q <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      if (en) valid_q <= read;
      if (read) begin
        raddr_q <= raddr_d;
        if (last_beat && last_inner && last_chunk && last_outer) half_q <= !half_q;
      end
    end
  end

  logic step_inner, step_chunk, step_outer;
  assign step_inner = read && last_beat;
  assign step_chunk = step_inner && last_inner;
  assign step_outer = step_chunk && last_chunk;
  logic unused_first_beat, unused_first_chunk, unused_first_inner, unused_first_outer;
  bvit_loop_counter #(.COUNT(BEATS)) u_beat (.clk, .rst, .step(read), .first(unused_first_beat), .last(last_beat));
  bvit_loop_counter #(.COUNT(CHUNKS)) u_chunk (
    .clk, .rst, .step(step_chunk), .first(unused_first_chunk), .last(last_chunk)
  );
  bvit_loop_counter #(.COUNT(INNER)) u_inner (
    .clk, .rst, .step(step_inner), .first(unused_first_inner), .last(last_inner)
  );
  bvit_loop_counter #(.COUNT(OUTER)) u_outer (
    .clk, .rst, .step(step_outer), .first(unused_first_outer), .last(last_outer)
  );

  bvit_ram #(
    .DEPTH(WORDS),
    .LANE_BITS(WIDTH),
    .BLOCK(BLOCK)
  ) u_ram (
    .clk,
    .we(write),
    .waddr(waddr_q),
    .wdata(s_axis_tdata),
    .re(read),
    .raddr(raddr_q),
    .rdata(m_axis_tdata)
  );
  assign m_axis_tvalid = valid_q;
endmodule

`default_nettype wire
