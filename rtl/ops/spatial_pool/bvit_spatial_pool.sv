// Sums over non-overlapping windows of WINDOW_H x WINDOW_W tokens (signed, full width).
//
// One running sum for each window of the present window row and each beat of a token; the sum that
// the next beat continues is read one beat ahead. Throughput one input beat a cycle, no bubbles.
// Latency 1 cycle after a window's last token. Input ready is combinational on output ready.
`default_nettype none

module bvit_spatial_pool #(
  parameter int WIDTH = 8,
  parameter int CHANNELS = 8,
  parameter int WINDOW_H = 2,
  parameter int WINDOW_W = 2,
  parameter int IN_BITS = 8,
  parameter int PE = 2,
  parameter bit BLOCK = 1'b0,
  localparam int SUM_BITS = IN_BITS + $clog2(WINDOW_H * WINDOW_W)
) (
  input  wire logic                   clk,
  input  wire logic                   rst,
  input  wire logic [PE*IN_BITS-1:0]  s_axis_tdata,
  input  wire logic                   s_axis_tvalid,
  output      logic                   s_axis_tready,
  output      logic [PE*SUM_BITS-1:0] m_axis_tdata,
  output      logic                   m_axis_tvalid,
  input  wire logic                   m_axis_tready
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_illegal_pe
    $error("bvit_spatial_pool: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (WINDOW_H < 1 || WINDOW_W < 1 || WIDTH % WINDOW_W != 0) begin : gen_illegal_window
    $error("bvit_spatial_pool: WINDOW_W=%0d does not divide WIDTH=%0d", WINDOW_W, WIDTH);
  end

  localparam int BEATS = CHANNELS / PE;
  localparam int COLUMNS = WIDTH / WINDOW_W;
  // A window of one row is done before the next one begins, so all share one set of sums.
  localparam int WORDS = (WINDOW_H == 1) ? BEATS : COLUMNS * BEATS;
  localparam int ADDR_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;

  logic en, take, valid_q;
  assign en = !valid_q || m_axis_tready;
  assign s_axis_tready = en;
  assign take = s_axis_tvalid && en;
  assign m_axis_tvalid = valid_q;

  // ---- position: beat within the token, token and row within the window, window within the row
  logic last_beat, first_x, last_x, first_y, last_y, last_column;
  logic step_x, step_column, step_y;
  assign step_x = take && last_beat;
  assign step_column = step_x && last_x;
  assign step_y = step_column && last_column;
  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(BEATS)) u_beat (
    .clk, .rst, .step(take), .index(), .first(), .last(last_beat)
  );
  bvit_loop_counter #(.COUNT(WINDOW_W)) u_x (
    .clk, .rst, .step(step_x), .index(), .first(first_x), .last(last_x)
  );
  bvit_loop_counter #(.COUNT(COLUMNS)) u_column (
    .clk, .rst, .step(step_column), .index(), .first(), .last(last_column)
  );
  bvit_loop_counter #(.COUNT(WINDOW_H)) u_y (
    .clk, .rst, .step(step_y), .index(), .first(first_y), .last(last_y)
  );
  /* verilator lint_on PINCONNECTEMPTY */
  always_ff @(posedge clk) begin
    if (rst) valid_q <= 1'b0;
    else if (en) valid_q <= take && last_x && last_y;
  end

  // ---- running sums
  logic [PE*SUM_BITS-1:0] sum, kept, out_q;
  for (genvar lane = 0; lane < PE; lane++) begin : gen_lane
    logic signed [IN_BITS-1:0] x;
    logic signed [SUM_BITS-1:0] so_far;
    assign x = s_axis_tdata[lane*IN_BITS+:IN_BITS];
    assign so_far = (first_x && first_y) ? '0 : kept[lane*SUM_BITS+:SUM_BITS];
    assign sum[lane*SUM_BITS+:SUM_BITS] = so_far + SUM_BITS'(x);
  end
  always_ff @(posedge clk) if (take && last_x && last_y) out_q <= sum;
  assign m_axis_tdata = out_q;

  if (WORDS == 1) begin : gen_register
    logic [PE*SUM_BITS-1:0] sum_q;
    always_ff @(posedge clk) if (take) sum_q <= sum;
    assign kept = sum_q;
    logic unused;
    assign unused = ^{BLOCK, 1'b0};
  end else begin : gen_memory
    logic [ADDR_BITS-1:0] addr_q, addr_d;
    logic [PE*SUM_BITS-1:0] word;
    if (WINDOW_H == 1 || COLUMNS == 1) begin : gen_one_window
      assign addr_d = last_beat ? '0 : addr_q + 1'b1;
    end else begin : gen_row
      always_comb begin
        addr_d = addr_q + 1'b1;
        if (last_beat && !last_x) addr_d = addr_q - ADDR_BITS'(BEATS - 1);
        else if (last_beat && last_column) addr_d = '0;
      end
    end
    always_ff @(posedge clk) begin
      if (rst) addr_q <= '0;
      else if (take) addr_q <= addr_d;
    end
    bvit_ram #(
      .DEPTH(WORDS),
      .LANE_BITS(PE * SUM_BITS),
      .STYLE(int'(BLOCK))
    ) u_ram (
      .clk,
      .we(take),
      .waddr(addr_q),
      .wdata(sum),
      .re(take),
      .raddr(addr_d),
      .rdata(word)
    );
    if (BEATS == 1) begin : gen_forward
      // The next token of the window continues the sum that is only now being written.
      logic [PE*SUM_BITS-1:0] sum_q;
      always_ff @(posedge clk) if (take) sum_q <= sum;
      assign kept = first_x ? word : sum_q;
    end else begin : gen_plain
      assign kept = word;
    end
  end
endmodule

`default_nettype wire
