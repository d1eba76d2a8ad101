// Integer matrix-vector unit: acc = weights . x, SIMD columns and PE rows at a time.
//
// Throughput: ROW_FOLDS * COL_FOLDS cycles a token, no bubbles between tokens; the input of the
// next token is taken meanwhile. A PE result leaves every COL_FOLDS cycles. Latency from a token's
// last beat to its first result: SUM_STAGE + 3 cycles, one less for ROW_FOLDS 1. The unit stops only
// when a new result finds the last one not taken. Ready comes from registers, except for
// ROW_FOLDS 1, where it is combinational on the output's ready.
// USE_DSP asks for a DSP block for each product. The products of a PE are then added up systolically
// (operands of lane s wait s cycles), as a column of DSP blocks can with its own adders: Yosys puts
// those adders there, another tool may not. The accumulator behind them is in lookup tables in any
// case. Otherwise Booth multipliers and an adder tree.
// WEIGHT_FILE: word row_fold * COL_FOLDS + col_fold, lanes PE-1 .. 0 from high to low bits, in
// each the weights of columns SIMD-1 .. 0. WEIGHT_BLOCK, BUFFER_BLOCK: these memories in block
// RAM.
`default_nettype none

module bvit_int_mvau #(
  parameter int PE = 1,
  parameter int SIMD = 1,
  parameter int ROW_FOLDS = 2,
  parameter int COL_FOLDS = 2,
  parameter int IN_BITS = 8,
  parameter bit IN_SIGNED = 1'b0,
  parameter int WEIGHT_BITS = 8,
  parameter int ACC_BITS = 20,
  parameter bit USE_DSP = 1'b1,
  parameter bit WEIGHT_BLOCK = 1'b0,
  parameter bit BUFFER_BLOCK = 1'b0,
  parameter WEIGHT_FILE = ""
) (
  input  wire logic                    clk,
  input  wire logic                    rst,
  input  wire logic [SIMD*IN_BITS-1:0] s_axis_tdata,
  input  wire logic                    s_axis_tvalid,
  output      logic                    s_axis_tready,
  output      logic [PE*ACC_BITS-1:0]  m_axis_tdata,
  output      logic                    m_axis_tvalid,
  input  wire logic                    m_axis_tready
);
  localparam int X_BITS = IN_BITS + (IN_SIGNED ? 0 : 1);
  localparam int P_BITS = X_BITS + WEIGHT_BITS;
  localparam int S_BITS = P_BITS + $clog2(SIMD);
  localparam int WORDS = ROW_FOLDS * COL_FOLDS;
  localparam int ADDR_BITS = (WORDS > 1) ? $clog2(WORDS) : 1;
  // Block RAM gives its word late in a cycle, and behind a deep memory its banks are chosen: then
  // the operands have registers of their own, which a DSP block absorbs.
  localparam int APART = WEIGHT_BLOCK ? 1 : 0;
  // stages from the memories' words to the sum of SIMD products
  localparam int SUM_STAGE = APART + (USE_DSP ? ((SIMD == 1) ? 1 : SIMD + 1) : 2 + $clog2(SIMD));

  if (PE < 1 || SIMD < 1 || ROW_FOLDS < 1 || COL_FOLDS < 1) begin : gen_illegal_folding
    $error("bvit_int_mvau: PE=%0d, SIMD=%0d, ROW_FOLDS=%0d and COL_FOLDS=%0d must be positive",
           PE, SIMD, ROW_FOLDS, COL_FOLDS);
  end
  if (USE_DSP && (X_BITS > 25 || WEIGHT_BITS > 18)) begin : gen_illegal_dsp
    $error("bvit_int_mvau: a DSP block multiplies 25 x 18 bits, not %0d x %0d",
           X_BITS, WEIGHT_BITS);
  end

  logic en, out_free;
  logic [APART:0][SIMD-1:0][IN_BITS-1:0] x;
  logic [APART:0][PE-1:0][SIMD-1:0][WEIGHT_BITS-1:0] weight;
  logic [ADDR_BITS-1:0] addr;
  logic [SUM_STAGE:0] valid, first, last;  // bit k belongs to stage k

  bvit_replay #(
    .WIDTH(SIMD * IN_BITS),
    .BEATS(COL_FOLDS),
    .OUTER(ROW_FOLDS),
    .BLOCK(BUFFER_BLOCK),
    .ADDER(WEIGHT_BLOCK),
    .STORE(ROW_FOLDS > 1)
  ) u_replay (
    .clk(clk),
    .rst(rst),
    .s_axis_tdata(s_axis_tdata),
    .s_axis_tvalid(s_axis_tvalid),
    .s_axis_tready(s_axis_tready),
    .en,
    .addr(addr),
    .x(x[0]),
    .valid(valid[0]),
    .first(first[0]),
    .last(last[0])
  );

  bvit_rom #(
    .WIDTH(PE * SIMD * WEIGHT_BITS),
    .DEPTH(WORDS),
    .BLOCK(WEIGHT_BLOCK),
    .INIT_FILE(WEIGHT_FILE)
  ) u_weight (
    .clk(clk),
    .en,
    .addr(addr),
    .data(weight[0])
  );

  if (WEIGHT_BLOCK) begin : gen_apart
    always_ff @(posedge clk) begin
      if (en) begin
        x[1] <= x[0];
        weight[1] <= weight[0];
      end
    end
  end

  for (genvar k = 1; k <= SUM_STAGE; k++) begin : gen_flags
    always_ff @(posedge clk) begin
      if (rst) valid[k] <= 1'b0;
      else if (en) valid[k] <= valid[k-1];
    end
    always_ff @(posedge clk) begin
      if (en) begin
        first[k] <= first[k-1];
        last[k] <= last[k-1];
      end
    end
  end

  // inputs as signed numbers; lane s waits s cycles for the systolic sum
  localparam int SKEW = USE_DSP ? 1 : 0;
  logic [SIMD-1:0][X_BITS-1:0] x_operand;
  for (genvar s = 0; s < SIMD; s++) begin : gen_x
    logic [s*SKEW:0][X_BITS-1:0] wait_q;
    if (IN_SIGNED) begin : gen_signed
      assign wait_q[0] = x[APART][s];
    end else begin : gen_unsigned
      assign wait_q[0] = {1'b0, x[APART][s]};
    end
    for (genvar d = 1; d <= s * SKEW; d++) begin : gen_wait
      always_ff @(posedge clk) if (en) wait_q[d] <= wait_q[d-1];
    end
    assign x_operand[s] = wait_q[s*SKEW];
  end

  assign out_free = m_axis_tready | ~m_axis_tvalid;
  assign en = out_free | ~(valid[SUM_STAGE] & last[SUM_STAGE]);
  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else if (out_free) m_axis_tvalid <= valid[SUM_STAGE] & last[SUM_STAGE];
  end

  for (genvar p = 0; p < PE; p++) begin : gen_pe
    logic [SIMD-1:0][P_BITS-1:0] product;
    for (genvar s = 0; s < SIMD; s++) begin : gen_lane
      logic [s*SKEW:0][WEIGHT_BITS-1:0] wait_q;
      logic signed [P_BITS-1:0] p_q;
      assign wait_q[0] = weight[APART][p][s];
      for (genvar d = 1; d <= s * SKEW; d++) begin : gen_wait
        always_ff @(posedge clk) if (en) wait_q[d] <= wait_q[d-1];
      end
      bvit_affine_mul #(
        .X_BITS(X_BITS),
        .C_BITS(WEIGHT_BITS),
        .USE_DSP(USE_DSP),
        .STAGES(USE_DSP ? 1 : 2)
      ) u_mul (
        .clk(clk),
        .en,
        .x(signed'(x_operand[s])),
        .c(signed'(wait_q[s*SKEW])),
        .p(p_q)
      );
      assign product[s] = p_q;
    end

    // The accumulator may be narrower: sums are right modulo 2**ACC_BITS, and that is all it keeps.
    /* verilator lint_off UNUSEDSIGNAL */
    logic signed [S_BITS-1:0] sum;
    /* verilator lint_on UNUSEDSIGNAL */
    if (SIMD == 1) begin : gen_single
      assign sum = product[0];
    end else if (USE_DSP) begin : gen_systolic
      logic [SIMD-1:0][S_BITS-1:0] sum_q;
      always_ff @(posedge clk) if (en) sum_q[0] <= S_BITS'(signed'(product[0]));
      for (genvar s = 1; s < SIMD; s++) begin : gen_add
        always_ff @(posedge clk) if (en) sum_q[s] <= sum_q[s-1] + S_BITS'(signed'(product[s]));
      end
      assign sum = sum_q[SIMD-1];
    end else begin : gen_tree
      bvit_adder_tree #(
        .N(SIMD),
        .BITS(P_BITS)
      ) u_tree (
        .clk(clk),
        .en,
        .x(product),
        .sum(sum)
      );
    end

    logic signed [ACC_BITS-1:0] acc_d, acc_q, out_q;
    assign acc_d = ACC_BITS'(sum) + (first[SUM_STAGE] ? '0 : acc_q);
    always_ff @(posedge clk) if (en && valid[SUM_STAGE]) acc_q <= acc_d;
    always_ff @(posedge clk) if (out_free) out_q <= acc_d;
    assign m_axis_tdata[p*ACC_BITS+:ACC_BITS] = out_q;
  end
endmodule

`default_nettype wire
