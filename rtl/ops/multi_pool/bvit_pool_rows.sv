// Rows of a frame as columns: with each beat those of the same column one and two rows above and
// below, zero outside the grid.
//
// Two banks take rows in turn: row y and y+1 lie there while row y+2 comes in; rows y-1 and y-2
// follow in a delay of one row each. Positions leave as steps: a step takes the next position
// (`m_take`) or, between frames only, nothing, so that a unit that holds tokens behind this one can
// let them go. The first of a row's positions and steps between rows have `m_edge`. After a reset
// as many steps as a row has beats have `m_clear`: they take nothing.
//
// Throughput one beat a cycle in and out, no bubbles within or between frames; a frame leaves
// without the next one. Latency min(2, HEIGHT-1) rows + 1 cycle. `m_*` stay while `en` is low, the
// rows are combinational on registers. Input ready is combinational on `en`, and low for a row after
// reset.
`default_nettype none

module bvit_pool_rows #(
  parameter int HEIGHT = 8,
  parameter int WIDTH = 8,
  parameter int BEATS = 4,     // of a token
  parameter int BITS = 16,     // of a beat
  parameter int STYLE = 0      // of the rows' memories, as in bvit_ram
) (
  input  wire logic            clk,
  input  wire logic            rst,
  input  wire logic            en,
  input  wire logic [BITS-1:0] s_axis_tdata,
  input  wire logic            s_axis_tvalid,
  output      logic            s_axis_tready,
  output      logic            m_step,
  output      logic            m_take,
  output      logic            m_edge,
  output      logic            m_clear,
  output      logic [BITS-1:0] m_up2,
  output      logic [BITS-1:0] m_up1,
  output      logic [BITS-1:0] m_mid,
  output      logic [BITS-1:0] m_down1,
  output      logic [BITS-1:0] m_down2
);
  localparam int ROW = WIDTH * BEATS;
  localparam int ADDR_BITS = (ROW > 1) ? $clog2(ROW) : 1;

  // ---- beats in, position to be read next ----------------------------------------------------------
  logic write, take, step;     // beat in; position read; step with or without one
  logic full;                  // beats are as far ahead of positions as they may be
  logic clear_q;               // after reset: empty steps push old marks out of what follows
  logic row_start_q;           // the next position is the first of its row
  logic first_column_q;        // the next position is in the first column
  logic write_frame_q, read_frame_q;  // toggle with each frame written and read
  logic write_bank_q, read_bank_q;
  logic [ADDR_BITS-1:0] waddr_q, raddr_q;
  logic wrote_last_q;          // the last change was a beat in, so equal positions mean full
  logic whole;                 // the frame that is being read has come in as a whole
  logic last_waddr, last_raddr;
  assign full = waddr_q == raddr_q && write_bank_q == read_bank_q && wrote_last_q;
  assign whole = write_frame_q != read_frame_q;
  assign last_waddr = waddr_q == ADDR_BITS'(ROW - 1);
  assign last_raddr = raddr_q == ADDR_BITS'(ROW - 1);
  // When full, a beat may come in only together with a step, which it then always allows.
  assign s_axis_tready = !clear_q && (!full || en);
  assign write = s_axis_tvalid && s_axis_tready;
  assign take = en && !clear_q && (whole || (full && s_axis_tvalid));
  assign step = take || (en && row_start_q) || (en && clear_q);

  logic last_write_row, last_read_row;
  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(HEIGHT)) u_write_row (
    .clk, .rst, .step(write && last_waddr), .index(), .first(), .last(last_write_row)
  );
  /* verilator lint_on PINCONNECTEMPTY */
  always_ff @(posedge clk) begin
    if (rst) begin
      waddr_q <= '0;
      write_bank_q <= 1'b0;
      write_frame_q <= 1'b0;
      wrote_last_q <= 1'b0;
    end else begin
      if (write) begin
        waddr_q <= last_waddr ? '0 : waddr_q + 1'b1;
        if (last_waddr) begin
          write_bank_q <= HEIGHT > 1 && !write_bank_q;
          if (last_write_row) write_frame_q <= !write_frame_q;
        end
      end
      if (write != take) wrote_last_q <= write;
    end
  end

  localparam int Y_BITS = (HEIGHT > 1) ? $clog2(HEIGHT) : 1;
  logic [Y_BITS-1:0] y_q;
  assign last_read_row = y_q == Y_BITS'(HEIGHT - 1);
  always_ff @(posedge clk) begin
    if (rst) begin
      raddr_q <= '0;
      read_bank_q <= 1'b0;
      read_frame_q <= 1'b0;
      y_q <= '0;
      row_start_q <= 1'b1;
      clear_q <= WIDTH > 1;
    end else if (take || (en && clear_q)) begin
      raddr_q <= last_raddr ? '0 : raddr_q + 1'b1;
      row_start_q <= last_raddr;
      if (last_raddr) begin
        clear_q <= 1'b0;
        if (!clear_q) begin
          read_bank_q <= HEIGHT > 1 && !read_bank_q;
          y_q <= last_read_row ? '0 : y_q + 1'b1;
          if (last_read_row) read_frame_q <= !read_frame_q;
        end
      end
    end
  end
  if (WIDTH == 1) begin : gen_one_column
    assign first_column_q = 1'b1;
  end else begin : gen_columns
    always_ff @(posedge clk) begin
      if (rst) first_column_q <= 1'b1;
      else if (take || (en && clear_q)) begin
        if (last_raddr) first_column_q <= 1'b1;
        else if (raddr_q == ADDR_BITS'(BEATS - 1)) first_column_q <= 1'b0;
      end
    end
  end

  // ---- the column's five rows; above and below the grid is zero ------------------------------------
  logic step1_q, take1_q, edge1_q, clear1_q;
  logic up1_q, up2_q, down1_q, down2_q, bank1_q;
  logic [BITS-1:0] in1_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      step1_q <= 1'b0;
      take1_q <= 1'b0;
      clear1_q <= 1'b0;
    end else if (en) begin
      step1_q <= step;
      take1_q <= take;
      clear1_q <= clear_q;
    end
    if (en) begin
      edge1_q <= first_column_q;  // so are empty steps, which lie between rows
      up1_q <= y_q != '0;
      up2_q <= int'(y_q) > 1;
      down1_q <= !last_read_row;
      down2_q <= int'(y_q) < HEIGHT - 2;
      bank1_q <= read_bank_q;
      in1_q <= s_axis_tdata;
    end
  end

  logic [BITS-1:0] row_up2, row_up1, row_mid, row_down1;
  logic [BITS-1:0] word[2];
  if (STYLE == 2 && HEIGHT > 1) begin : gen_beside
    // UltraRAM is wide: both banks lie in one word.
    bvit_ram #(
      .DEPTH(ROW),
      .LANE_BITS(BITS),
      .LANES(2),
      .STYLE(STYLE)
    ) u_ram (
      .clk,
      .we({write && write_bank_q, write && !write_bank_q}),
      .waddr(waddr_q),
      .wdata(s_axis_tdata),
      .re(en),
      .raddr(raddr_q),
      .rdata({word[1], word[0]})
    );
  end else begin : gen_apart
    for (genvar b = 0; b < 2; b++) begin : gen_bank
      if (b < HEIGHT) begin : gen_ram
        bvit_ram #(
          .DEPTH(ROW),
          .LANE_BITS(BITS),
          .STYLE(STYLE)
        ) u_ram (
          .clk,
          .we(write && write_bank_q == 1'(b)),
          .waddr(waddr_q),
          .wdata(s_axis_tdata),
          .re(en),
          .raddr(raddr_q),
          .rdata(word[b])
        );
      end else begin : gen_none
        assign word[b] = '0;
      end
    end
  end
  assign row_mid = word[bank1_q];
  assign row_down1 = word[!bank1_q];

  if (HEIGHT > 2) begin : gen_two_up
    bvit_delay #(
      .WIDTH(2 * BITS),
      .STEPS(ROW),
      .STYLE(STYLE)
    ) u_up (
      .clk, .rst, .en(en && take1_q), .d({row_up1, row_mid}), .q({row_up2, row_up1})
    );
  end else if (HEIGHT == 2) begin : gen_one_up
    bvit_delay #(
      .WIDTH(BITS),
      .STEPS(ROW),
      .STYLE(STYLE)
    ) u_up (
      .clk, .rst, .en(en && take1_q), .d(row_mid), .q(row_up1)
    );
    assign row_up2 = '0;
  end else begin : gen_no_up
    assign row_up1 = '0;
    assign row_up2 = '0;
  end

  assign m_step = step1_q;
  assign m_take = take1_q;
  assign m_edge = edge1_q;
  assign m_clear = clear1_q;
  assign m_up2 = up2_q ? row_up2 : '0;
  assign m_up1 = up1_q ? row_up1 : '0;
  assign m_mid = row_mid;
  assign m_down1 = down1_q ? row_down1 : '0;
  assign m_down2 = down2_q ? in1_q : '0;
endmodule

`default_nettype wire
