// Per-channel fixed-point a*x + b over one to four added streams, optional RPReLU,
// requantization:
//   t = sum_i ((MULTIPLY[i] ? coef_i[c] * x_i : x_i) << SHIFTi) + bias
//   m = t >>> MID_SHIFT ; v = (m >= 0 ? m << SLOPE_SHIFT : slope[c] * m) + bias2     with PRELU
//   y = saturate((PRELU ? v : t) >>> OUT_SHIFT)
//
// Throughput: one beat a cycle, no bubbles. Latency: 3 cycles plus one for each multiplied
// input, plus 3 with PRELU; without USE_DSP one more where an input is multiplied, and with PRELU,
// for multipliers in lookup tables take two. Ready is combinational: on the output's ready, and on every input's
// valid, for the inputs are taken together.
// Inputs 0 .. N_IN-1 are used (s0_axis also when there is one); leave the other s*_axis ports
// unconnected or tie them to zero.
// All arithmetic is modulo 2**SUM_BITS resp. 2**RES_BITS: whoever chooses the widths makes sure
// that t and v fit them, then partial sums may wrap.
//
// Memories (lane PE-1 .. lane 0 from high to low bits; a word for each beat of a token, or of a
// frame where *_PER_TOKEN): COEF_FILE, where a lane holds the coefficients of the multiplied
// inputs, the first input's lowest; BIAS_FILE; SLOPE_FILE; BIAS2_FILE. *_BLOCK puts a memory
// into block RAM.
`default_nettype none

module bvit_channel_affine #(
  parameter int PE = 1,
  parameter int BEATS = 2,
  parameter int TOKENS = 1,
  parameter int N_IN = 1,
  parameter int IN0_BITS = 8,
  parameter int IN1_BITS = 1,
  parameter int IN2_BITS = 1,
  parameter int IN3_BITS = 1,
  parameter int MULTIPLY = 1,
  parameter int SHIFT0 = 0,
  parameter int SHIFT1 = 0,
  parameter int SHIFT2 = 0,
  parameter int SHIFT3 = 0,
  parameter int COEF_BITS = 8,
  parameter int BIAS_BITS = 16,
  parameter bit BIAS_PER_TOKEN = 1'b0,
  parameter int SUM_BITS = 17,
  parameter bit PRELU = 1'b0,
  parameter int MID_SHIFT = 0,
  parameter int MID_BITS = 17,
  parameter int SLOPE_BITS = 8,
  parameter int SLOPE_SHIFT = 6,
  parameter int BIAS2_BITS = 16,
  parameter bit BIAS2_PER_TOKEN = 1'b0,
  parameter int RES_BITS = 17,
  parameter int OUT_SHIFT = 4,
  parameter int OUT_BITS = 8,
  parameter bit USE_DSP = 1'b1,
  parameter bit COEF_BLOCK = 1'b0,
  parameter bit BIAS_BLOCK = 1'b0,
  parameter bit SLOPE_BLOCK = 1'b0,
  parameter bit BIAS2_BLOCK = 1'b0,
  parameter COEF_FILE = "",
  parameter BIAS_FILE = "",
  parameter SLOPE_FILE = "",
  parameter BIAS2_FILE = ""
) (
  input  wire logic                   clk,
  input  wire logic                   rst,
  input  wire logic [PE*IN0_BITS-1:0] s0_axis_tdata,
  input  wire logic                   s0_axis_tvalid,
  output      logic                   s0_axis_tready,
  input  wire logic [PE*IN1_BITS-1:0] s1_axis_tdata,
  input  wire logic                   s1_axis_tvalid,
  output      logic                   s1_axis_tready,
  input  wire logic [PE*IN2_BITS-1:0] s2_axis_tdata,
  input  wire logic                   s2_axis_tvalid,
  output      logic                   s2_axis_tready,
  input  wire logic [PE*IN3_BITS-1:0] s3_axis_tdata,
  input  wire logic                   s3_axis_tvalid,
  output      logic                   s3_axis_tready,
  output      logic [PE*OUT_BITS-1:0] m_axis_tdata,
  output      logic                   m_axis_tvalid,
  input  wire logic                   m_axis_tready
);
  localparam bit [3:0] USED = 4'((1 << N_IN) - 1);
  localparam bit [3:0] MUL = 4'(MULTIPLY) & USED;
  localparam bit [3:0] ADD = ~4'(MULTIPLY) & USED;
  localparam int N_MUL = int'(MUL[0]) + int'(MUL[1]) + int'(MUL[2]) + int'(MUL[3]);
  localparam int MUL_STAGES = USE_DSP ? 1 : 2;
  // stages of the pipeline whose registers hold: operands 0, the base and the first product, t, the
  // result
  localparam int BASE_STAGE = (N_MUL > 0) ? MUL_STAGES : 1;
  localparam int T_STAGE = BASE_STAGE + N_MUL;
  localparam int V_STAGE = PRELU ? T_STAGE + 2 + MUL_STAGES : T_STAGE;
  localparam int STAGES = V_STAGE + 2;
  localparam int V_BITS = PRELU ? RES_BITS : SUM_BITS;
  localparam bit PER_TOKEN = BIAS_PER_TOKEN || (PRELU && BIAS2_PER_TOKEN);
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
  localparam int FRAME_BEATS = TOKENS * BEATS;
  localparam int FRAME_BITS = (FRAME_BEATS > 1) ? $clog2(FRAME_BEATS) : 1;

  if (N_IN < 1 || N_IN > 4) begin : gen_illegal_inputs
    $error("bvit_channel_affine: N_IN=%0d must be 1 to 4", N_IN);
  end
  if (PE < 1 || BEATS < 1 || TOKENS < 1) begin : gen_illegal_shape
    $error("bvit_channel_affine: PE=%0d, BEATS=%0d and TOKENS=%0d must be positive",
           PE, BEATS, TOKENS);
  end
  if (OUT_SHIFT >= V_BITS || (PRELU && MID_SHIFT >= SUM_BITS)) begin : gen_illegal_shift
    $error("bvit_channel_affine: OUT_SHIFT=%0d or MID_SHIFT=%0d leaves no bit of the sum",
           OUT_SHIFT, MID_SHIFT);
  end

  if (SHIFT0 >= SUM_BITS || SHIFT1 >= SUM_BITS || SHIFT2 >= SUM_BITS || SHIFT3 >= SUM_BITS) begin :
    gen_illegal_term
    $error("bvit_channel_affine: SHIFT0..3 must be below SUM_BITS=%0d", SUM_BITS);
  end

  // ---------------------------------------------------------------- handshake, shared by the lanes
  logic [STAGES-1:0] valid_q;
  logic en, all_valid, fire;
  logic [3:0] in_valid;
  assign in_valid = {s3_axis_tvalid, s2_axis_tvalid, s1_axis_tvalid, s0_axis_tvalid} | ~USED;
  assign all_valid = &in_valid;
  assign en = m_axis_tready | ~valid_q[STAGES-1];
  assign fire = en & all_valid;
  assign {s3_axis_tready, s2_axis_tready, s1_axis_tready, s0_axis_tready} = {4{fire}} & USED;
  assign m_axis_tvalid = valid_q[STAGES-1];

  always_ff @(posedge clk) begin
    if (rst) valid_q <= '0;
    else if (en) valid_q <= {valid_q[STAGES-2:0], all_valid};
  end

  // addresses for the operand stage, the later stages see them delayed; which are used depends on
  // the memories there are
  /* verilator lint_off UNUSEDSIGNAL */
  logic [BEAT_BITS-1:0] beat;
  logic [FRAME_BITS-1:0] frame_beat;
  /* verilator lint_on UNUSEDSIGNAL */
  bvit_beat_counter #(
    .BEATS(BEATS),
    .ROUNDS(TOKENS),
    .FRAME(PER_TOKEN)
  ) u_counter (
    .clk(clk),
    .rst(rst),
    .step(fire),
    .beat(beat),
    .frame_beat(frame_beat)
  );

  // ---------------------------------------------------------------- operands
  // products end one stage apart, so that a chain of DSP blocks can add them: operands wait
  logic [BASE_STAGE-1:0][PE-1:0][SUM_BITS-1:0] base_q;  // it waits for the first product
  logic [PE-1:0][BIAS_BITS-1:0] bias;
  localparam int BIAS_ADDR = BIAS_PER_TOKEN ? FRAME_BITS : BEAT_BITS;
  bvit_rom #(
    .WIDTH(PE * BIAS_BITS),
    .DEPTH(BIAS_PER_TOKEN ? FRAME_BEATS : BEATS),
    .BLOCK(BIAS_BLOCK),
    .INIT_FILE(BIAS_FILE)
  ) u_bias (
    .clk(clk),
    .en,
    .addr(BIAS_PER_TOKEN ? BIAS_ADDR'(frame_beat) : BIAS_ADDR'(beat)),
    .data(bias)
  );

  /* verilator lint_off UNUSEDSIGNAL */
  logic [PE*((N_MUL > 0) ? N_MUL : 1)-1:0][COEF_BITS-1:0] coef;
  /* verilator lint_on UNUSEDSIGNAL */
  if (N_MUL > 0) begin : gen_coef
    bvit_rom #(
      .WIDTH(PE * N_MUL * COEF_BITS),
      .DEPTH(BEATS),
      .BLOCK(COEF_BLOCK),
      .INIT_FILE(COEF_FILE)
    ) u_coef (
      .clk(clk),
      .en,
      .addr(beat),
      .data(coef)
    );
  end else begin : gen_no_coef
    assign coef = '0;
  end

  // term[i]: input i as the sum takes it, not shifted yet; a product one stage after the operands
  /* verilator lint_off UNUSEDSIGNAL */
  logic [3:0][PE-1:0][SUM_BITS-1:0] term;  // zero and unused for inputs that are not there
  /* verilator lint_on UNUSEDSIGNAL */
  for (genvar i = 0; i < 4; i++) begin : gen_input
    localparam int BITS = (i == 0) ? IN0_BITS : (i == 1) ? IN1_BITS
                        : (i == 2) ? IN2_BITS : IN3_BITS;
    // multiplied inputs before this one
    localparam int RANK = ((i > 0) ? int'(MUL[0]) : 0) + ((i > 1) ? int'(MUL[1]) : 0)
                        + ((i > 2) ? int'(MUL[2]) : 0);
    logic [PE*BITS-1:0] tdata;
    if (i == 0) begin : gen_tdata0
      assign tdata = s0_axis_tdata;
    end else if (i == 1) begin : gen_tdata1
      assign tdata = s1_axis_tdata;
    end else if (i == 2) begin : gen_tdata2
      assign tdata = s2_axis_tdata;
    end else begin : gen_tdata3
      assign tdata = s3_axis_tdata;
    end

    if (MUL[i]) begin : gen_multiply
      for (genvar p = 0; p < PE; p++) begin : gen_lane
        logic [RANK:0][BITS-1:0] x_q;
        logic [RANK:0][COEF_BITS-1:0] c_q;
        /* verilator lint_off UNUSEDSIGNAL */
        logic signed [BITS+COEF_BITS-1:0] product;  // its low SUM_BITS count, the sum fits them
        /* verilator lint_on UNUSEDSIGNAL */
        always_ff @(posedge clk) if (en) x_q[0] <= tdata[p*BITS+:BITS];
        assign c_q[0] = coef[p*N_MUL+RANK];
        for (genvar d = 1; d <= RANK; d++) begin : gen_delay
          always_ff @(posedge clk) begin
            if (en) begin
              x_q[d] <= x_q[d-1];
              c_q[d] <= c_q[d-1];
            end
          end
        end
        bvit_affine_mul #(
          .X_BITS(BITS),
          .C_BITS(COEF_BITS),
          .USE_DSP(USE_DSP),
          .STAGES(MUL_STAGES)
        ) u_mul (
          .clk(clk),
          .en,
          .x(signed'(x_q[RANK])),
          .c(signed'(c_q[RANK])),
          .p(product)
        );
        assign term[i][p] = SUM_BITS'(product);
      end
    end else if (ADD[i]) begin : gen_add
      for (genvar p = 0; p < PE; p++) begin : gen_lane
        logic [BITS-1:0] x_q;
        always_ff @(posedge clk) if (en) x_q <= tdata[p*BITS+:BITS];
        assign term[i][p] = SUM_BITS'(signed'(x_q));
      end
    end else begin : gen_unused
      assign term[i] = '0;
      logic unused;
      assign unused = ^tdata;
    end
  end

  // ---------------------------------------------------------------- sum
  for (genvar p = 0; p < PE; p++) begin : gen_sum
    logic [4:0][SUM_BITS-1:0] plain, partial;
    assign plain[0] = SUM_BITS'(signed'(bias[p]));
    assign partial[0] = base_q[BASE_STAGE-1][p];
    for (genvar i = 0; i < 4; i++) begin : gen_input
      localparam int SHIFT = (i == 0) ? SHIFT0 : (i == 1) ? SHIFT1 : (i == 2) ? SHIFT2 : SHIFT3;
      localparam int HIGH = SUM_BITS - SHIFT;
      if (ADD[i]) begin : gen_add
        assign plain[i+1] = plain[i] + (term[i][p] << SHIFT);
      end else begin : gen_pass
        assign plain[i+1] = plain[i];
      end
      if (MUL[i]) begin : gen_multiply
        // the bits below the shifted product pass by the adder, which therefore sees no shift and
        // fits behind the multiplier in the same DSP block
        logic [HIGH-1:0] high_q;
        always_ff @(posedge clk) begin
          if (en) high_q <= partial[i][SUM_BITS-1:SHIFT] + term[i][p][HIGH-1:0];
        end
        if (SHIFT > 0) begin : gen_low
          logic [SHIFT-1:0] low_q;
          always_ff @(posedge clk) if (en) low_q <= partial[i][SHIFT-1:0];
          assign partial[i+1] = {high_q, low_q};
        end else begin : gen_no_low
          assign partial[i+1] = high_q;
        end
      end else begin : gen_no_multiply
        assign partial[i+1] = partial[i];
      end
    end
    always_ff @(posedge clk) if (en) base_q[0][p] <= plain[4];
    for (genvar d = 1; d < BASE_STAGE; d++) begin : gen_wait
      always_ff @(posedge clk) if (en) base_q[d][p] <= base_q[d-1][p];
    end
  end

  // ---------------------------------------------------------------- RPReLU
  logic [PE-1:0][V_BITS-1:0] v;
  if (PRELU) begin : gen_prelu
    localparam int ONE_BITS = SLOPE_SHIFT + 2;
    localparam int B_BITS = (SLOPE_BITS > ONE_BITS) ? SLOPE_BITS : ONE_BITS;
    localparam int ADDR_BITS = BIAS2_PER_TOKEN ? FRAME_BITS : BEAT_BITS;
    // Block RAM is read a cycle earlier: what it gives late in a cycle, from one of several banks
    // where there is a word for each token, waits in a register for the addition.
    localparam int BIAS2_STAGE = T_STAGE + MUL_STAGES - (BIAS2_BLOCK ? 1 : 0);
    // addr_q[k] belongs to the beat whose data are in stage k
    logic [BIAS2_STAGE:0][ADDR_BITS-1:0] addr_q;
    always_ff @(posedge clk) begin
      if (en) begin
        addr_q[0] <= BIAS2_PER_TOKEN ? ADDR_BITS'(frame_beat) : ADDR_BITS'(beat);
        for (int k = 1; k <= BIAS2_STAGE; k++) addr_q[k] <= addr_q[k-1];
      end
    end
    logic [T_STAGE-1:0][BEAT_BITS-1:0] beat_q;
    always_ff @(posedge clk) begin
      if (en) begin
        beat_q[0] <= beat;
        for (int k = 1; k < T_STAGE; k++) beat_q[k] <= beat_q[k-1];
      end
    end

    logic [PE-1:0][SLOPE_BITS-1:0] slope;
    logic [PE-1:0][BIAS2_BITS-1:0] bias2, bias2_read;
    bvit_rom #(
      .WIDTH(PE * SLOPE_BITS),
      .DEPTH(BEATS),
      .BLOCK(SLOPE_BLOCK),
      .INIT_FILE(SLOPE_FILE)
    ) u_slope (
      .clk(clk),
      .en,
      .addr(beat_q[T_STAGE-1]),
      .data(slope)
    );
    bvit_rom #(
      .WIDTH(PE * BIAS2_BITS),
      .DEPTH(BIAS2_PER_TOKEN ? FRAME_BEATS : BEATS),
      .BLOCK(BIAS2_BLOCK),
      .INIT_FILE(BIAS2_FILE)
    ) u_bias2 (
      .clk(clk),
      .en,
      .addr(addr_q[BIAS2_STAGE]),
      .data(bias2_read)
    );
    if (BIAS2_BLOCK) begin : gen_bias2_apart
      logic [PE-1:0][BIAS2_BITS-1:0] bias2_q;
      always_ff @(posedge clk) if (en) bias2_q <= bias2_read;
      assign bias2 = bias2_q;
    end else begin : gen_bias2_read
      assign bias2 = bias2_read;
    end

    for (genvar p = 0; p < PE; p++) begin : gen_lane
      logic signed [SUM_BITS-1:0] t;
      logic signed [MID_BITS-1:0] m_q;
      logic signed [B_BITS-1:0] b_q;
      /* verilator lint_off UNUSEDSIGNAL */
      logic signed [MID_BITS+B_BITS-1:0] product;  // its low RES_BITS count, the sum fits them
      /* verilator lint_on UNUSEDSIGNAL */
      logic [RES_BITS-1:0] v_q;
      assign t = gen_sum[p].partial[4];
      // both branches are products: the positive one's factor is 1.0
      always_ff @(posedge clk) begin
        if (en) begin
          m_q <= MID_BITS'(t >>> MID_SHIFT);
          b_q <= t[SUM_BITS-1] ? B_BITS'(signed'(slope[p])) : B_BITS'(1 << SLOPE_SHIFT);
        end
      end
      bvit_affine_mul #(
        .X_BITS(MID_BITS),
        .C_BITS(B_BITS),
        .USE_DSP(USE_DSP),
        .STAGES(MUL_STAGES)
      ) u_mul (
        .clk(clk),
        .en,
        .x(m_q),
        .c(b_q),
        .p(product)
      );
      always_ff @(posedge clk) begin
        if (en) v_q <= RES_BITS'(product) + RES_BITS'(signed'(bias2[p]));
      end
      assign v[p] = v_q;
    end
  end else begin : gen_linear
    for (genvar p = 0; p < PE; p++) begin : gen_lane
      assign v[p] = gen_sum[p].partial[4];
    end
  end

  // ---------------------------------------------------------------- shift and saturation
  for (genvar p = 0; p < PE; p++) begin : gen_out
    logic signed [OUT_BITS-1:0] y_d, y_q;
    bvit_saturate #(
      .IN_BITS(V_BITS),
      .SHIFT(OUT_SHIFT),
      .OUT_BITS(OUT_BITS)
    ) u_saturate (
      .x(signed'(v[p])),
      .y(y_d)
    );
    always_ff @(posedge clk) if (en) y_q <= y_d;
    assign m_axis_tdata[p*OUT_BITS+:OUT_BITS] = y_q;
  end
endmodule

`default_nettype wire
