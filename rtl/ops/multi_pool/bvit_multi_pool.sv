// Four average pools over the token grid, their affines, summed:
// p = saturate((c_h3*H3 + c_w3*W3 + c_h5*H5 + c_w5*W5 + bias) >> OUT_SHIFT), where H3, H5 (3 x 1, 5 x 1)
// and W3, W5 (1 x 3, 1 x 5) are window sums with zeros outside the grid.
//
// Throughput one beat a cycle in and out, no bubbles within or between frames; a frame leaves
// without the next one. Latency min(2, HEIGHT-1) rows + min(2, WIDTH-1) tokens + 9 cycles. Input
// ready is combinational on output ready, and low for a row after reset.
//
// The vertical part of a position is computed when its column is read (bvit_pool_rows), the
// horizontal part two tokens later, when its right neighbours have been read too
// (bvit_pool_tokens); then both meet. The numbers in names are stages: 1 column, 2 to 6 vertical
// part, 3 tokens, 4 to 8 horizontal part, 9 output register.
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
  parameter int ROW_STYLE = 0,       // rows in LUT RAM (0), block RAM (1) or UltraRAM (2)
  parameter bit TOKEN_BLOCK = 1'b0,  // the horizontal part's tokens in block RAM
  parameter bit COEF_BLOCK = 1'b0,   // coefficients in block RAM
  parameter V_FILE = "",      // a lane: bias, c_h5, c_h3; in a grid of up to 2 rows bias, c_h3 + c_h5
  parameter W_FILE = ""       // a lane: c_w5, c_w3; in a grid of up to 2 columns c_w3 + c_w5
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
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
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

  // ---- the column in stage 1; its middle row waits for the vertical products till stage 3 ---------
  logic step1, take1, edge1, clear1;
  logic [PE*IN_BITS-1:0] column_up2, column_up1, column_mid, column_down1, column_down2;
  bvit_pool_rows #(
    .HEIGHT(HEIGHT),
    .WIDTH(WIDTH),
    .BEATS(BEATS),
    .BITS(PE * IN_BITS),
    .STYLE(ROW_STYLE)
  ) u_rows (
    .clk, .rst, .en, .s_axis_tdata, .s_axis_tvalid, .s_axis_tready,
    .m_step(step1), .m_take(take1), .m_edge(edge1), .m_clear(clear1),
    .m_up2(column_up2), .m_up1(column_up1), .m_mid(column_mid), .m_down1(column_down1),
    .m_down2(column_down2)
  );

  logic step2_q, step3_q, step4_q, step5_q, step6_q;
  logic take2_q, take3_q, clear2_q, clear3_q, edge2_q, edge3_q;
  logic [PE*IN_BITS-1:0] mid2_q, mid3_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      {step2_q, step3_q, step4_q, step5_q, step6_q} <= '0;
      {take2_q, take3_q, clear2_q, clear3_q} <= '0;
    end else if (en) begin
      {step2_q, step3_q, step4_q, step5_q, step6_q} <= {step1, step2_q, step3_q, step4_q, step5_q};
      {take2_q, take3_q, clear2_q, clear3_q} <= {take1, take2_q, clear1, clear2_q};
    end
    if (en) begin
      {edge2_q, edge3_q} <= {edge1, edge2_q};
      {mid2_q, mid3_q} <= {column_mid, mid2_q};
    end
  end

  // ---- the tokens in stage 3; `out` marks a step whose middle token is a position -----------------
  logic take_mid, left2_valid, left1_valid, right1_valid, right2_valid;
  logic [PE*IN_BITS-1:0] token_left2, token_left1, token_mid, token_right1, token_right2;
  bvit_pool_tokens #(
    .WIDTH(WIDTH),
    .BEATS(BEATS),
    .BITS(PE * IN_BITS),
    .BLOCK(TOKEN_BLOCK)
  ) u_tokens (
    .clk, .rst, .step(en && step3_q), .s_take(take3_q), .s_edge(edge3_q), .s_beat(mid3_q),
    .m_take(take_mid), .left2_valid, .left1_valid, .right1_valid, .right2_valid,
    .left2(token_left2), .left1(token_left1), .mid(token_mid), .right1(token_right1),
    .right2(token_right2)
  );

  logic out3, out4_q, out5_q, out6_q, out7_q, out8_q;
  assign out3 = step3_q && take_mid && !clear3_q;
  always_ff @(posedge clk) begin
    if (rst) {out4_q, out5_q, out6_q, out7_q, out8_q, valid_q} <= '0;
    else if (en) begin
      {out4_q, out5_q, out6_q, out7_q, out8_q, valid_q} <= {out3, out4_q, out5_q, out6_q, out7_q, out8_q};
    end
  end

  // ---- coefficients come out of their memories in stage 3 (vertical) and 5 (horizontal) -----------
  logic [BEAT_BITS-1:0] v_beat, w_beat;
  logic [PE*V_WORD-1:0] v_word;
  logic [PE*W_WORD-1:0] w_word;
  bvit_beat_counter #(
    .BEATS(BEATS)
  ) u_v_beat (
    .clk, .rst, .step(en && take2_q), .beat(v_beat),
    /* verilator lint_off PINCONNECTEMPTY */
    .frame_beat()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  bvit_beat_counter #(
    .BEATS(BEATS)
  ) u_w_beat (
    .clk, .rst, .step(en && out4_q), .beat(w_beat),
    /* verilator lint_off PINCONNECTEMPTY */
    .frame_beat()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  bvit_rom #(
    .WIDTH(PE * V_WORD),
    .DEPTH(BEATS),
    .BLOCK(COEF_BLOCK),
    .INIT_FILE(V_FILE)
  ) u_v_rom (
    .clk, .en, .addr(v_beat), .data(v_word)
  );
  bvit_rom #(
    .WIDTH(PE * W_WORD),
    .DEPTH(BEATS),
    .BLOCK(COEF_BLOCK),
    .INIT_FILE(W_FILE)
  ) u_w_rom (
    .clk, .en, .addr(w_beat), .data(w_word)
  );

  // ---- arithmetic, lane by lane: a chain of multiply-adds -----------------------------------------
  logic [PE*V_BITS-1:0] v6, v_mid;  // the vertical part of the column, and of the middle token
  if (REACH > 0) begin : gen_v_line
    bvit_delay #(
      .WIDTH(PE * V_BITS),
      .STEPS(REACH * BEATS),
      .STYLE(int'(TOKEN_BLOCK))
    ) u_line (
      .clk, .rst, .en(en && step6_q), .d(v6), .q(v_mid)
    );
  end else begin : gen_v_now
    assign v_mid = v6;
    logic unused;
    assign unused = step6_q;
  end

  for (genvar i = 0; i < PE; i++) begin : gen_lane
    logic signed [IN_BITS-1:0] up2, up1, mid, down1, down2;
    assign up2 = column_up2[i*IN_BITS+:IN_BITS];
    assign up1 = column_up1[i*IN_BITS+:IN_BITS];
    assign mid = column_mid[i*IN_BITS+:IN_BITS];
    assign down1 = column_down1[i*IN_BITS+:IN_BITS];
    assign down2 = column_down2[i*IN_BITS+:IN_BITS];

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
      assign left = left1_valid ? token_left1[i*IN_BITS+:IN_BITS] : '0;
      always_ff @(posedge clk) begin
        if (en) begin
          w3_4q <= SUM3_BITS'(signed'(token_mid[i*IN_BITS+:IN_BITS])) + SUM3_BITS'(left);
          right_4q <= token_right1[i*IN_BITS+:IN_BITS];
          right1_4q <= right1_valid;
          w3_5q <= w3_4q + (right1_4q ? SUM3_BITS'(right_4q) : '0);
        end
      end
    end else begin : gen_w1
      always_ff @(posedge clk) begin
        if (en) begin
          w3_4q <= SUM3_BITS'(signed'(token_mid[i*IN_BITS+:IN_BITS]));
          w3_5q <= w3_4q;
        end
      end
      logic unused;
      assign unused = ^{left1_valid, right1_valid, token_left1, token_right1};
    end
    bvit_pool_mac #(
      .X_BITS(SUM3_BITS),
      .C_BITS(COEF_BITS),
      .P_BITS(ACC_BITS),
      .USE_DSP(USE_DSP)
    ) u_w3 (
      .clk, .en, .x(w3_5q), .c(w_lane[COEF_BITS-1:0]),
      .z(ACC_BITS'(signed'(v_mid[i*V_BITS+:V_BITS]))), .p(near7)
    );
    if (BOTH_W) begin : gen_w5
      logic signed [IN_BITS-1:0] left, right;
      logic signed [SUM3_BITS-1:0] far_4q, far_5q;
      logic signed [SUM5_BITS-1:0] w5_6q;
      logic signed [COEF_BITS-1:0] coef_6q;
      assign left = left2_valid ? token_left2[i*IN_BITS+:IN_BITS] : '0;
      assign right = right2_valid ? token_right2[i*IN_BITS+:IN_BITS] : '0;
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
      logic unused;
      assign unused = ^{left2_valid, right2_valid, token_left2, token_right2};
    end

    // stage 9: into the output register
    logic [OUT_BITS-1:0] result8;
    bvit_saturate #(
      .IN_BITS(ACC_BITS),
      .SHIFT(OUT_SHIFT),
      .OUT_BITS(OUT_BITS)
    ) u_saturate (
      .x(acc8),
      .y(result8)
    );
    always_ff @(posedge clk) if (en) m_axis_tdata[i*OUT_BITS+:OUT_BITS] <= result8;
  end
endmodule

`default_nettype wire
