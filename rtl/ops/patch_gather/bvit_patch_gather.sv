// Gathers non-overlapping windows of tokens: the output's token (Y, X) holds the WINDOW_H * WINDOW_W
// tokens of its window in the order (ky, kx, channel).
//
// A ring of 2 * (WINDOW_H - 1) rows: a window is read as soon as its last row comes in, and a row
// follows into the place of one that has been read. Throughput one beat a cycle in and out, no
// bubbles within or between frames. Latency (WINDOW_H - 1) rows + 2 cycles. Input ready is
// combinational on output ready. Where the order does not change (one row, or a window as wide as
// the grid) only a register is left, with latency 1.
`default_nettype none

module bvit_patch_gather #(
  parameter int WIDTH = 8,
  parameter int CHANNELS = 8,
  parameter int WINDOW_H = 2,
  parameter int WINDOW_W = 2,
  parameter int BITS = 1,
  parameter int PE = 2,
  parameter bit BLOCK = 1'b0
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic [PE*BITS-1:0] s_axis_tdata,
  input  wire logic               s_axis_tvalid,
  output      logic               s_axis_tready,
  output      logic [PE*BITS-1:0] m_axis_tdata,
  output      logic               m_axis_tvalid,
  input  wire logic               m_axis_tready
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_illegal_pe
    $error("bvit_patch_gather: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (WINDOW_H < 1 || WINDOW_W < 1 || WIDTH % WINDOW_W != 0) begin : gen_illegal_window
    $error("bvit_patch_gather: WINDOW_W=%0d does not divide WIDTH=%0d", WINDOW_W, WIDTH);
  end

  logic en, valid_q;
  assign en = !valid_q || m_axis_tready;
  assign m_axis_tvalid = valid_q;

  if (WINDOW_H == 1 || WIDTH == WINDOW_W) begin : gen_same_order
    logic [PE*BITS-1:0] data_q;
    assign s_axis_tready = en;
    always_ff @(posedge clk) begin
      if (rst) valid_q <= 1'b0;
      else if (en) valid_q <= s_axis_tvalid;
      if (en) data_q <= s_axis_tdata;
    end
    assign m_axis_tdata = data_q;
    logic unused;
    assign unused = ^{BLOCK, 1'b0};
  end else begin : gen_ring
    localparam int COLUMNS = WIDTH / WINDOW_W;
    localparam int CHUNK = WINDOW_W * (CHANNELS / PE);  // consecutive beats that stay together
    localparam int ROW = COLUMNS * CHUNK;
    localparam int AHEAD = (WINDOW_H - 1) * ROW;  // beats before a window's last row
    localparam int WORDS = 2 * AHEAD;
    localparam int ADDR_BITS = $clog2(WORDS);
    localparam int COUNT_BITS = $clog2(WORDS + 1);

    logic write, read, last_beat, first_y, last_y, last_column, band_done;

    // Beats from the oldest that is still needed to the newest. Only the first row of a band gives
    // its places back one by one, the others together with the band's last beat.
    logic [COUNT_BITS-1:0] span_q, freed;
    always_comb begin
      freed = '0;
      if (read && first_y) freed = COUNT_BITS'(1);
      if (band_done) freed = COUNT_BITS'(AHEAD);
    end
    assign s_axis_tready = span_q != COUNT_BITS'(WORDS) || band_done;
    assign write = s_axis_tvalid && s_axis_tready;
    // In a window's first row the beat below, in the last row, must be there: then all between are.
    assign read = en && (!first_y || span_q > COUNT_BITS'(AHEAD));
    assign band_done = read && last_beat && last_y && last_column;

    logic [ADDR_BITS-1:0] waddr_q, raddr_q, raddr_d;
    always_ff @(posedge clk) begin
      if (rst) begin
        span_q <= '0;
        waddr_q <= '0;
        raddr_q <= '0;
        valid_q <= 1'b0;
      end else begin
        span_q <= span_q + COUNT_BITS'(write) - freed;
        if (write) waddr_q <= (waddr_q == ADDR_BITS'(WORDS - 1)) ? '0 : waddr_q + 1'b1;
        if (read) raddr_q <= raddr_d;
        if (en) valid_q <= read;
      end
    end

    // The next beat: in the chunk; below it in the next row; back in the window's first row, where
    // AHEAD beats back are, in this ring, AHEAD beats on.
    logic [ADDR_BITS:0] stride, raddr_sum;
    always_comb begin
      stride = (ADDR_BITS + 1)'(1);
      if (last_beat && !last_y) stride = (ADDR_BITS + 1)'(ROW - CHUNK + 1);
      else if (last_beat && !last_column) stride = (ADDR_BITS + 1)'(AHEAD + 1);
      raddr_sum = {1'b0, raddr_q} + stride;
      if (raddr_sum >= (ADDR_BITS + 1)'(WORDS)) raddr_sum = raddr_sum - (ADDR_BITS + 1)'(WORDS);
      raddr_d = raddr_sum[ADDR_BITS-1:0];
    end
    logic unused;
    assign unused = raddr_sum[ADDR_BITS];

    logic step_y, step_column;
    assign step_y = read && last_beat;
    assign step_column = step_y && last_y;
    /* verilator lint_off PINCONNECTEMPTY */
    bvit_loop_counter #(.COUNT(CHUNK)) u_beat (
      .clk, .rst, .step(read), .index(), .first(), .last(last_beat)
    );
    bvit_loop_counter #(.COUNT(WINDOW_H)) u_y (
      .clk, .rst, .step(step_y), .index(), .first(first_y), .last(last_y)
    );
    bvit_loop_counter #(.COUNT(COLUMNS)) u_column (
      .clk, .rst, .step(step_column), .index(), .first(), .last(last_column)
    );
    /* verilator lint_on PINCONNECTEMPTY */

    bvit_ram #(
      .DEPTH(WORDS),
      .LANE_BITS(PE * BITS),
      .STYLE(int'(BLOCK))
    ) u_ram (
      .clk,
      .we(write),
      .waddr(waddr_q),
      .wdata(s_axis_tdata),
      .re(read),
      .raddr(raddr_q),
      .rdata(m_axis_tdata)
    );
  end
endmodule

`default_nettype wire
