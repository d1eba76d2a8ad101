// Four average pools over the token grid, their affines, summed:
// p = saturate((c_h3*H3 + c_w3*W3 + c_h5*H5 + c_w5*W5 + bias) >> OUT_SHIFT), where H3, H5 (3 x 1, 5 x 1)
// and W3, W5 (1 x 3, 1 x 5) are window sums with zeros outside the grid.
//
// Throughput one beat a cycle in and out, no bubbles within or between frames; a frame leaves
// without the next one. Latency min(2, HEIGHT-1) rows + min(2, WIDTH-1) tokens + 9 cycles. Input
// ready is combinational on output ready, and low for a row after reset.
//
// Two banks take rows in turn: row y and y+1 lie there while row y+2 comes in; rows y-1 and y-2
// follow in a delay of one row each. The vertical part of a position is computed when its column is
// read, the horizontal part two tokens later, when its right neighbours have been read too; then
// both meet. The tokens pass the horizontal part as `steps`: a step takes the next position or,
// between frames only, nothing, so that what is inside moves on.
`default_nettype none

module bvit_multi_pool #(
  parameter int HEIGHT = 8,
  parameter int WIDTH = 8,
  parameter int CHANNELS = 8,
  parameter int IN_BITS = 8,
  parameter int COEF_BITS = 8,   // of the words in V_FILE and W_FILE
  parameter int BIAS_BITS = 16,
  parameter int OUT_SHIFT = 8,
  parameter int OUT_BITS = 8,
  parameter int PE = 2,
  parameter bit USE_DSP = 1'b1,
  parameter bit ROW_BLOCK = 1'b0,    // rows in block RAM
  parameter bit TOKEN_BLOCK = 1'b0,  // the horizontal part's tokens in block RAM
  parameter bit COEF_BLOCK = 1'b0,   // coefficients in block RAM
  parameter string V_FILE = "",      // a lane: bias, c_h5, c_h3; in a grid of up to 2 rows bias, c_h3 + c_h5
  parameter string W_FILE = ""       // a lane: c_w5, c_w3; in a grid of up to 2 columns c_w3 + c_w5
) (
  input  wire logic                   clk,
  input  wire logic                   rst,
  input  wire logic [PE*IN_BITS-1:0]  s_axis_tdata,
  input  wire logic                   s_axis_tvalid,
  output      logic                   s_axis_tready,
  output      logic [PE*OUT_BITS-1:0] m_axis_tdata,
  output      logic                   m_axis_tvalid,
  input  wire logic                   m_axis_tready
);
  if (PE < 1 || CHANNELS % PE != 0) begin : gen_illegal_pe
    $error("bvit_multi_pool: PE=%0d does not divide CHANNELS=%0d", PE, CHANNELS);
  end
  if (HEIGHT < 1 || WIDTH < 1 || OUT_SHIFT < 0) begin : gen_illegal_shape
    $error("bvit_multi_pool: HEIGHT, WIDTH must be positive and OUT_SHIFT not negative");
  end

  localparam int BEATS = CHANNELS / PE;
  localparam int ROW = WIDTH * BEATS;
  localparam int ADDR_BITS = (ROW > 1) ? $clog2(ROW) : 1;
  localparam int COEF_ADDR_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
  // In a grid of one or two rows (columns) both windows cover the same: one coefficient serves both.
  localparam bit BOTH_V = HEIGHT > 2;
  localparam bit BOTH_W = WIDTH > 2;
  localparam int REACH = (WIDTH > 2) ? 2 : WIDTH - 1;  // tokens to the left and right
  localparam int SUM3_BITS = IN_BITS + 2;
  localparam int SUM5_BITS = IN_BITS + 3;
  localparam int PART_BITS = SUM5_BITS + COEF_BITS;  // |c3 * S3 + c5 * S5| <= 2^(IN_BITS + COEF_BITS + 1)
  localparam int V_BITS = ((PART_BITS > BIAS_BITS) ? PART_BITS : BIAS_BITS) + 1;
  localparam int ACC_BITS = V_BITS + 1;
  localparam int V_WORD = BIAS_BITS + (BOTH_V ? 2 : 1) * COEF_BITS;
  localparam int W_WORD = (BOTH_W ? 2 : 1) * COEF_BITS;

  logic en, valid_q;
  assign en = !valid_q || m_axis_tready;
  assign m_axis_tvalid = valid_q;

  // ---- stage 0: beats in, position to be read next ------------------------------------------------
  logic write, take, step;     // beat in; position read; step with or without one
  logic full;                  // beats are as far ahead of positions as they may be
  logic clear_q;               // after reset: empty steps push old marks out of the horizontal part
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
  logic unused_first_write_row;
  bvit_loop_counter #(.COUNT(HEIGHT)) u_write_row (
    .clk, .rst, .step(write && last_waddr), .first(unused_first_write_row), .last(last_write_row)
  );
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
      clear_q <= REACH > 0;
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

  // ---- stage 1: the column's five rows; above and below the grid is zero --------------------------
  logic step1_q, take1_q, edge1_q;
  logic up1_q, up2_q, down1_q, down2_q, bank1_q;
  logic [PE*IN_BITS-1:0] in1_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      step1_q <= 1'b0;
      take1_q <= 1'b0;
    end else if (en) begin
      step1_q <= step;
      take1_q <= take;
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

  logic [PE*IN_BITS-1:0] row_up2, row_up1, row_mid, row_down1;
  logic [PE*IN_BITS-1:0] word[2];
  for (genvar b = 0; b < 2; b++) begin : gen_bank
    if (b < HEIGHT) begin : gen_ram
      bvit_line_ram #(
        .WIDTH(PE * IN_BITS),
        .DEPTH(ROW),
        .BLOCK(ROW_BLOCK)
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
  assign row_mid = word[bank1_q];
  assign row_down1 = word[!bank1_q];

  if (HEIGHT > 2) begin : gen_two_up
    bvit_line_delay #(
      .WIDTH(2 * PE * IN_BITS),
      .STEPS(ROW),
      .BLOCK(ROW_BLOCK)
    ) u_up (
      .clk, .rst, .en(en && take1_q), .d({row_up1, row_mid}), .q({row_up2, row_up1})
    );
  end else if (HEIGHT == 2) begin : gen_one_up
    bvit_line_delay #(
      .WIDTH(PE * IN_BITS),
      .STEPS(ROW),
      .BLOCK(ROW_BLOCK)
    ) u_up (
      .clk, .rst, .en(en && take1_q), .d(row_mid), .q(row_up1)
    );
    assign row_up2 = '0;
  end else begin : gen_no_up
    assign row_up1 = '0;
    assign row_up2 = '0;
  end

  // ---- stages 2 and 3: the middle row waits for the vertical products, then enters the horizontal part
  logic step2_q, step3_q, step4_q, step5_q, step6_q;
  logic take2_q, take3_q, edge2_q, edge3_q;
  logic [3:1] cleared_q;  // the step in this stage, if any, clears
  logic [PE*IN_BITS-1:0] mid2_q, mid3_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      {step2_q, step3_q, step4_q, step5_q, step6_q} <= '0;
      {take2_q, take3_q} <= '0;
      cleared_q <= '0;
    end else if (en) begin
      {step2_q, step3_q, step4_q, step5_q, step6_q} <= {step1_q, step2_q, step3_q, step4_q, step5_q};
      {take2_q, take3_q} <= {take1_q, take2_q};
      cleared_q <= {cleared_q[2:1], clear_q};
    end
    if (en) begin
      {edge2_q, edge3_q} <= {edge1_q, edge2_q};
      mid2_q <= row_mid;
      mid3_q <= mid2_q;
    end
  end

  // Tap t is the token t steps of a token ago: tap REACH is the middle, tap 0 the rightmost. A tap
  // bears an `edge` mark where its left neighbour is not of the same row, and `take` where it is
  // a position at all.
  logic [PE*IN_BITS-1:0] tap[2*REACH+1];
  logic [2*REACH:0] tap_edge, tap_take;
  assign tap[0] = mid3_q;
  assign tap_edge[0] = edge3_q;
  assign tap_take[0] = take3_q;
  if (REACH > 0) begin : gen_taps
    localparam int TAP_BITS = PE * IN_BITS + 2;
    logic [2*REACH*TAP_BITS-1:0] line_d, line_q;
    for (genvar t = 0; t < 2 * REACH; t++) begin : gen_tap
      assign line_d[t*TAP_BITS+:TAP_BITS] = {tap_take[t], tap_edge[t], tap[t]};
      assign {tap_take[t+1], tap_edge[t+1], tap[t+1]} = line_q[t*TAP_BITS+:TAP_BITS];
    end
    bvit_line_delay #(
      .WIDTH(2 * REACH * TAP_BITS),
      .STEPS(BEATS),
      .BLOCK(TOKEN_BLOCK)
    ) u_line (
      .clk, .rst, .en(en && step3_q), .d(line_d), .q(line_q)
    );
  end
  logic left1, left2, right1, right2;  // the neighbour is inside the grid
  if (REACH > 0) begin : gen_near
    assign left1 = !tap_edge[REACH];
    assign right1 = !tap_edge[REACH-1];
  end else begin : gen_no_near
    assign left1 = 1'b0;
    assign right1 = 1'b0;
  end
  if (REACH > 1) begin : gen_far
    assign left2 = left1 && !tap_edge[REACH+1];
    assign right2 = right1 && !tap_edge[REACH-2];
  end else begin : gen_no_far
    assign left2 = 1'b0;
    assign right2 = 1'b0;
  end

  // ---- stages 3 to 9: control; `out` marks a step whose middle tap is a position ------------------
  logic out3, out4_q, out5_q, out6_q, out7_q, out8_q;
  assign out3 = step3_q && tap_take[REACH] && !cleared_q[3];
  always_ff @(posedge clk) begin
    if (rst) {out4_q, out5_q, out6_q, out7_q, out8_q, valid_q} <= '0;
    else if (en) begin
      {out4_q, out5_q, out6_q, out7_q, out8_q, valid_q} <= {out3, out4_q, out5_q, out6_q, out7_q, out8_q};
    end
  end

  // Coefficients come out of their memories in stage 3 (vertical) and 5 (horizontal).
  logic [COEF_ADDR_BITS-1:0] v_addr, w_addr;
  logic [PE*V_WORD-1:0] v_word;
  logic [PE*W_WORD-1:0] w_word;
  if (BEATS == 1) begin : gen_one_word
    assign v_addr = '0;
    assign w_addr = '0;
  end else begin : gen_words
    logic [COEF_ADDR_BITS-1:0] v_addr_q, w_addr_q;
    assign v_addr = v_addr_q;
    assign w_addr = w_addr_q;
    always_ff @(posedge clk) begin
      if (rst) begin
        v_addr_q <= '0;
        w_addr_q <= '0;
      end else if (en) begin
        if (take2_q) v_addr_q <= (v_addr_q == COEF_ADDR_BITS'(BEATS - 1)) ? '0 : v_addr_q + 1'b1;
        if (out4_q) w_addr_q <= (w_addr_q == COEF_ADDR_BITS'(BEATS - 1)) ? '0 : w_addr_q + 1'b1;
      end
    end
  end
  bvit_coef_rom #(
    .WIDTH(PE * V_WORD),
    .DEPTH(BEATS),
    .BLOCK(COEF_BLOCK),
    .INIT_FILE(V_FILE)
  ) u_v_rom (
    .clk, .en, .addr(v_addr), .data(v_word)
  );
  bvit_coef_rom #(
    .WIDTH(PE * W_WORD),
    .DEPTH(BEATS),
    .BLOCK(COEF_BLOCK),
    .INIT_FILE(W_FILE)
  ) u_w_rom (
    .clk, .en, .addr(w_addr), .data(w_word)
  );

  // ---- arithmetic, lane by lane: a chain of multiply-adds -----------------------------------------
  logic [PE*V_BITS-1:0] v6, v_late;  // the vertical part, now and for the middle tap
  if (REACH > 0) begin : gen_v_line
    bvit_line_delay #(
      .WIDTH(PE * V_BITS),
      .STEPS(REACH * BEATS),
      .BLOCK(TOKEN_BLOCK)
    ) u_line (
      .clk, .rst, .en(en && step6_q), .d(v6), .q(v_late)
    );
  end else begin : gen_v_now
    assign v_late = v6;
  end

  for (genvar i = 0; i < PE; i++) begin : gen_lane
    logic signed [IN_BITS-1:0] up2, up1, mid, down1, down2;
    assign up2 = up2_q ? row_up2[i*IN_BITS+:IN_BITS] : '0;
    assign up1 = up1_q ? row_up1[i*IN_BITS+:IN_BITS] : '0;
    assign mid = row_mid[i*IN_BITS+:IN_BITS];
    assign down1 = down1_q ? row_down1[i*IN_BITS+:IN_BITS] : '0;
    assign down2 = down2_q ? in1_q[i*IN_BITS+:IN_BITS] : '0;

    // Sums add one term a stage, and what may be masked comes second: it then shares the adder's
    // tables. Vertical: H3 in stages 2 and 3, H5 in 4; c_h3*H3 + bias in 5, with c_h5*H5 in 6.
    logic signed [SUM3_BITS-1:0] h3_2q, h3_3q;
    logic signed [IN_BITS-1:0] down1_2q;
    logic signed [V_WORD-1:0] v_lane;
    logic signed [BIAS_BITS-1:0] bias_4q;
    logic signed [V_BITS-1:0] v_near5;
    logic signed [V_BITS-1:0] v_lane6;
    assign v_lane = v_word[i*V_WORD+:V_WORD];
    assign v6[i*V_BITS+:V_BITS] = v_lane6;
    always_ff @(posedge clk) begin
      if (en) begin
        h3_2q <= SUM3_BITS'(mid) + SUM3_BITS'(up1);
        down1_2q <= down1;
        h3_3q <= h3_2q + SUM3_BITS'(down1_2q);
        bias_4q <= v_lane[V_WORD-1-:BIAS_BITS];
      end
    end
    bvit_pool_mac #(
      .X_BITS(SUM3_BITS),
      .C_BITS(COEF_BITS),
      .P_BITS(V_BITS),
      .USE_DSP(USE_DSP)
    ) u_h3 (
      .clk, .en, .x(h3_3q), .c(v_lane[COEF_BITS-1:0]), .z(V_BITS'(bias_4q)), .p(v_near5)
    );
    if (BOTH_V) begin : gen_h5
      logic signed [SUM3_BITS-1:0] far_2q, far_3q;
      logic signed [SUM5_BITS-1:0] h5_4q;
      logic signed [COEF_BITS-1:0] coef_4q;
      always_ff @(posedge clk) begin
        if (en) begin
          far_2q <= SUM3_BITS'(up2) + SUM3_BITS'(down2);
          far_3q <= far_2q;
          h5_4q <= SUM5_BITS'(h3_3q) + SUM5_BITS'(far_3q);
          coef_4q <= v_lane[2*COEF_BITS-1-:COEF_BITS];
        end
      end
      bvit_pool_mac #(
        .X_BITS(SUM5_BITS),
        .C_BITS(COEF_BITS),
        .P_BITS(V_BITS),
        .USE_DSP(USE_DSP)
      ) u_h5 (
        .clk, .en, .x(h5_4q), .c(coef_4q), .z(v_near5), .p(v_lane6)
      );
    end else begin : gen_only_h3
      logic signed [V_BITS-1:0] v_6q;
      always_ff @(posedge clk) if (en) v_6q <= v_near5;
      assign v_lane6 = v_6q;
      logic unused;
      assign unused = ^{up2, down2};
    end

    // horizontal: W3 in stages 4 and 5, W5 in 6; all but c_w5*W5 in 7, everything in 8
    logic signed [SUM3_BITS-1:0] w3_4q, w3_5q;
    logic signed [W_WORD-1:0] w_lane;
    logic signed [ACC_BITS-1:0] near7, acc8;
    assign w_lane = w_word[i*W_WORD+:W_WORD];
    if (REACH > 0) begin : gen_w3
      logic signed [IN_BITS-1:0] left, right_4q;
      logic right1_4q;
      assign left = left1 ? tap[REACH+1][i*IN_BITS+:IN_BITS] : '0;
      always_ff @(posedge clk) begin
        if (en) begin
          w3_4q <= SUM3_BITS'(signed'(tap[REACH][i*IN_BITS+:IN_BITS])) + SUM3_BITS'(left);
          right_4q <= tap[REACH-1][i*IN_BITS+:IN_BITS];
          right1_4q <= right1;
          w3_5q <= w3_4q + (right1_4q ? SUM3_BITS'(right_4q) : '0);
        end
      end
    end else begin : gen_w1
      always_ff @(posedge clk) begin
        if (en) begin
          w3_4q <= SUM3_BITS'(signed'(tap[0][i*IN_BITS+:IN_BITS]));
          w3_5q <= w3_4q;
        end
      end
    end
    bvit_pool_mac #(
      .X_BITS(SUM3_BITS),
      .C_BITS(COEF_BITS),
      .P_BITS(ACC_BITS),
      .USE_DSP(USE_DSP)
    ) u_w3 (
      .clk, .en, .x(w3_5q), .c(w_lane[COEF_BITS-1:0]),
      .z(ACC_BITS'(signed'(v_late[i*V_BITS+:V_BITS]))), .p(near7)
    );
    if (BOTH_W) begin : gen_w5
      logic signed [IN_BITS-1:0] left, right;
      logic signed [SUM3_BITS-1:0] far_4q, far_5q;
      logic signed [SUM5_BITS-1:0] w5_6q;
      logic signed [COEF_BITS-1:0] coef_6q;
      assign left = left2 ? tap[2*REACH][i*IN_BITS+:IN_BITS] : '0;
      assign right = right2 ? tap[0][i*IN_BITS+:IN_BITS] : '0;
      always_ff @(posedge clk) begin
        if (en) begin
          far_4q <= SUM3_BITS'(left) + SUM3_BITS'(right);
          far_5q <= far_4q;
          w5_6q <= SUM5_BITS'(w3_5q) + SUM5_BITS'(far_5q);
          coef_6q <= w_lane[2*COEF_BITS-1-:COEF_BITS];
        end
      end
      bvit_pool_mac #(
        .X_BITS(SUM5_BITS),
        .C_BITS(COEF_BITS),
        .P_BITS(ACC_BITS),
        .USE_DSP(USE_DSP)
      ) u_w5 (
        .clk, .en, .x(w5_6q), .c(coef_6q), .z(near7), .p(acc8)
      );
    end else begin : gen_only_w3
      logic signed [ACC_BITS-1:0] acc_8q;
      always_ff @(posedge clk) if (en) acc_8q <= near7;
      assign acc8 = acc_8q;
    end

    // stage 9: shifted and saturated into the output register; WIDE_BITS leaves at least one bit
    // above the result's sign to look at
    logic [OUT_BITS-1:0] result;
    localparam int WIDE_BITS = (ACC_BITS > OUT_SHIFT + OUT_BITS) ? ACC_BITS : OUT_SHIFT + OUT_BITS + 1;
    localparam int TOP_BITS = WIDE_BITS - OUT_SHIFT - OUT_BITS + 1;
    logic signed [WIDE_BITS-1:0] wide;
    logic [TOP_BITS-1:0] top;
    assign wide = WIDE_BITS'(acc8);
    assign top = wide[WIDE_BITS-1-:TOP_BITS];
    always_comb begin
      result = wide[OUT_SHIFT+:OUT_BITS];
      if (top != {TOP_BITS{wide[WIDE_BITS-1]}}) begin
        result = {OUT_BITS{!wide[WIDE_BITS-1]}};
        result[OUT_BITS-1] = wide[WIDE_BITS-1];
      end
    end
    always_ff @(posedge clk) if (en) m_axis_tdata[i*OUT_BITS+:OUT_BITS] <= result;
    if (OUT_SHIFT > 0) begin : gen_fraction
      logic unused;
      assign unused = ^wide[OUT_SHIFT-1:0];
    end
  end

  // Not used in small grids.
  logic unused;
  assign unused = ^{left1, left2, right1, right2, tap_edge, tap_take, row_up2, up2_q, down2_q, in1_q,
                    row_down1, step3_q, step6_q, TOKEN_BLOCK};
endmodule

`default_nettype wire
