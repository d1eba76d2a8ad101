// Integer matrix-vector unit without multipliers: distributed arithmetic on one bit of every input
// a cycle, lowest bit first.
//
// For a few inputs the sum of the weights whose inputs have this bit set is a table of so many
// address bits. A row adds up its tables in a chain of adders, a register after each; a LUT6 with
// its carry cell holds both a table's bit (COLS_A_STAGE inputs and the phase: at most five address
// bits) and the adder's, so a stage costs a LUT for each bit of its sum. A last adder puts the sums
// of the IN_BITS bit planes together, halving what it has after each.
//
// PE * IN_BITS rows at once, PHASES times: IN_BITS * PHASES cycles a token, no bubbles between
// tokens. Group g of PE rows works g cycles behind group 0, so that a group is done in every cycle
// and a beat of PE results leaves in every cycle. A token is taken whole before work on it begins,
// the next one meanwhile. Latency from a token's last beat: IN_BITS + STAGES + 4 cycles.
// Input and output ready are combinational on the output's ready, which stops the whole unit.
//
// TABLE_FILE: a word for each {phase, bits of the stage's columns, lowest column lowest}, the highest
// first; in it stage STAGES-1 .. 0 from high to low bits, in each rows PE*IN_BITS-1 .. 0. Entries of
// stage 0 have SUM_BITS bits, those of the others the TABLE_BITS lowest bits of a number below zero,
// which is subtracted: 1 less than how far the stage's least sum is below this one. Stage 0 makes up
// for it.
`default_nettype none

module bvit_serial_mvau #(
  parameter int PE = 1,
  parameter int SIMD = 1,
  parameter int COLS = 2,
  parameter int PHASES = 1,
  parameter int IN_BITS = 8,
  parameter bit IN_SIGNED = 1'b0,
  parameter int ACC_BITS = 20,
  parameter int COLS_A_STAGE = 5,
  parameter int TABLE_BITS = 11,  // of the entries of all stages but the first
  parameter int SUM_BITS = 12,    // of a bit plane's sum over all columns
  parameter TABLE_FILE = ""
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
  localparam int BEATS = COLS / SIMD;
  localparam int STAGES = (COLS + COLS_A_STAGE - 1) / COLS_A_STAGE;
  localparam int PHASE_BITS = (PHASES > 1) ? $clog2(PHASES) : 0;
  localparam int STEP_BITS = $clog2(IN_BITS);
  localparam int HIGH_BITS = SUM_BITS + 1;
  localparam int TOTAL_BITS = HIGH_BITS + IN_BITS - 1;

  if (PE < 1 || SIMD < 1 || PHASES < 1 || IN_BITS < 2 || COLS % SIMD != 0) begin : gen_illegal
    $error("bvit_serial_mvau: PE=%0d, SIMD=%0d, PHASES=%0d must be positive, IN_BITS=%0d 2 or more, COLS=%0d whole",
           PE, SIMD, PHASES, IN_BITS, COLS);
  end
  if (BEATS > IN_BITS * PHASES) begin : gen_slow_input
    $error("bvit_serial_mvau: a token of %0d beats comes slower than its %0d cycles",
           BEATS, IN_BITS * PHASES);
  end

  logic en;
  assign en = m_axis_tready | ~m_axis_tvalid;

  // ---------------------------------------------------------------- the next token is collected
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;
  logic [COLS*IN_BITS-1:0] next_q, token_q;
  logic full_q, take, accept;
  logic [BEAT_BITS-1:0] beat;
  assign s_axis_tready = ~full_q | take;
  assign accept = s_axis_tvalid & s_axis_tready;
  bvit_beat_counter #(
    .BEATS(BEATS)
  ) u_beat (
    .clk(clk),
    .rst(rst),
    .step(accept),
    .beat(beat),
    /* verilator lint_off PINCONNECTEMPTY */
    .frame_beat()
    /* verilator lint_on PINCONNECTEMPTY */
  );
  always_ff @(posedge clk) begin
    if (rst) full_q <= 1'b0;
    else if (accept && beat == BEAT_BITS'(BEATS - 1)) full_q <= 1'b1;
    else if (take) full_q <= 1'b0;
  end
  for (genvar b = 0; b < BEATS; b++) begin : gen_next
    always_ff @(posedge clk) begin
      if (accept && beat == BEAT_BITS'(b)) next_q[b*SIMD*IN_BITS+:SIMD*IN_BITS] <= s_axis_tdata;
    end
  end

  // ---------------------------------------------------------------- one bit plane a cycle
  // valid, last (plane of an input) and phase of the plane whose bits are in tap 0; group g takes the
  // columns of stage k from tap k+g
  localparam int TAPS = STAGES + IN_BITS;
  logic busy_q, last_step, last_phase;
  logic [STEP_BITS-1:0] step_q;
  assign last_step = step_q == STEP_BITS'(IN_BITS - 1);
  assign take = en & full_q & (~busy_q | (last_step & last_phase));
  always_ff @(posedge clk) begin
    if (rst) begin
      busy_q <= 1'b0;
      step_q <= '0;
    end else if (en) begin
      if (take) busy_q <= 1'b1;
      else if (last_step && last_phase) busy_q <= 1'b0;
      if (busy_q) step_q <= last_step ? '0 : step_q + 1'b1;
    end
  end
  always_ff @(posedge clk) if (take) token_q <= next_q;

  logic [TAPS:0] valid_q, last_q;
  always_ff @(posedge clk) begin
    if (rst) valid_q <= '0;
    else if (en) valid_q <= {valid_q[TAPS-1:0], busy_q};
  end
  always_ff @(posedge clk) begin
    if (en) last_q <= {last_q[TAPS-1:0], last_step};
  end

  // Every column has taps of its own as long as it needs them: stage k looks at taps k .. k+IN_BITS-1.
  logic [COLS-1:0][IN_BITS-1:0] seen;  // tap k+g of the columns of stage k is seen[..][g]
  for (genvar c = 0; c < COLS; c++) begin : gen_column
    localparam int STAGE = c / COLS_A_STAGE;
    logic [IN_BITS-1:0] x;
    logic [STAGE+IN_BITS-1:0] tap_q;
    assign x = token_q[c*IN_BITS+:IN_BITS];
    always_ff @(posedge clk) if (en) tap_q <= {tap_q[STAGE+IN_BITS-2:0], x[step_q]};
    assign seen[c] = tap_q[STAGE+:IN_BITS];
  end

  // ---------------------------------------------------------------- tables and adders
  localparam int ADDR_BITS = COLS_A_STAGE + PHASE_BITS;
  localparam int ROWS = PE * IN_BITS;  // at once
  localparam int WORD_BITS = ROWS * (SUM_BITS + (STAGES - 1) * TABLE_BITS);
  logic [STAGES-1:0][IN_BITS-1:0][ADDR_BITS-1:0] addr;
  for (genvar k = 0; k < STAGES; k++) begin : gen_addr
    for (genvar g = 0; g < IN_BITS; g++) begin : gen_group
      for (genvar i = 0; i < COLS_A_STAGE; i++) begin : gen_bit
        if (k * COLS_A_STAGE + i < COLS) begin : gen_column
          assign addr[k][g][i] = seen[k*COLS_A_STAGE+i][g];
        end else begin : gen_none
          assign addr[k][g][i] = 1'b0;
        end
      end
    end
  end
  if (PHASES > 1) begin : gen_phase
    logic [PHASE_BITS-1:0] phase_q;
    logic [TAPS-2:0][PHASE_BITS-1:0] tap_q;
    assign last_phase = phase_q == PHASE_BITS'(PHASES - 1);
    always_ff @(posedge clk) begin
      if (rst) phase_q <= '0;
      else if (en && busy_q && last_step) phase_q <= last_phase ? '0 : phase_q + 1'b1;
    end
    always_ff @(posedge clk) if (en) tap_q <= {tap_q[TAPS-3:0], phase_q};
    for (genvar k = 0; k < STAGES; k++) begin : gen_addr
      for (genvar g = 0; g < IN_BITS; g++) begin : gen_group
        assign addr[k][g][COLS_A_STAGE+:PHASE_BITS] = tap_q[k+g];
      end
    end
  end else begin : gen_one_phase
    assign last_phase = 1'b1;
  end

  logic [IN_BITS-1:0][PE-1:0][TOTAL_BITS-1:0] total;
  for (genvar g = 0; g < IN_BITS; g++) begin : gen_group
    logic [STAGES-1:0][PE-1:0][SUM_BITS-1:0] sum_q;  // stage k: after k+1 tables
    for (genvar k = 0; k < STAGES; k++) begin : gen_stage
      localparam int BITS = (k == 0) ? SUM_BITS : TABLE_BITS;
      logic [PE-1:0][BITS-1:0] entry;
      bvit_serial_table #(
        .ADDR_BITS(ADDR_BITS),
        .WIDTH(PE * BITS),
        .WORD_BITS(WORD_BITS),
        .OFFSET(g * PE * BITS + ((k == 0) ? 0 : ROWS * (SUM_BITS + (k - 1) * TABLE_BITS))),
        .INIT_FILE(TABLE_FILE)
      ) u_table (
        .addr(addr[k][g]),
        .data(entry)
      );
      for (genvar p = 0; p < PE; p++) begin : gen_lane
        if (k == 0) begin : gen_first
          always_ff @(posedge clk) if (en) sum_q[0][p] <= entry[p];
        end else begin : gen_add
          // subtracted, since that settles which operand the carry multiplexer takes: not the table
          always_ff @(posedge clk) begin
            if (en) sum_q[k][p] <= sum_q[k-1][p] - SUM_BITS'(signed'({1'b1, entry[p]}));
          end
        end
      end
    end

    logic last, clear, minus;
    assign last = last_q[STAGES+g];
    assign clear = last | ~valid_q[STAGES+g];  // the next plane finds nothing to add to
    assign minus = IN_SIGNED & last;  // the highest bit of a signed input counts negative
    for (genvar p = 0; p < PE; p++) begin : gen_lane
      logic signed [HIGH_BITS-1:0] high_q, half, plane, high_d;
      logic [IN_BITS-2:0] low_q, low_d;
      logic [TOTAL_BITS-1:0] total_q;
      assign half = high_q >>> 1;
      assign plane = HIGH_BITS'(signed'(sum_q[STAGES-1][p])) ^ {HIGH_BITS{minus}};
      assign high_d = plane + half + HIGH_BITS'({1'b0, minus});
      assign low_d = (IN_BITS - 1)'({high_q[0], low_q} >> 1);
      always_ff @(posedge clk) begin
        if (en) begin
          high_q <= clear ? '0 : high_d;
          low_q <= low_d;
          if (last) total_q <= {high_d, low_d};
        end
      end
      assign total[g][p] = total_q;
    end
  end

  // ---------------------------------------------------------------- the group that is done leaves
  localparam int DONE = STAGES + 1;  // tap of group 0's last plane when its total is there
  logic [IN_BITS-1:0] done;
  logic [STEP_BITS-1:0] turn_q;  // groups are done one after another, in order
  for (genvar g = 0; g < IN_BITS; g++) begin : gen_done
    assign done[g] = valid_q[DONE+g] & last_q[DONE+g];
  end
  always_ff @(posedge clk) begin
    if (rst) m_axis_tvalid <= 1'b0;
    else if (en) m_axis_tvalid <= |done;
  end
  always_ff @(posedge clk) begin
    if (en) turn_q <= (valid_q[DONE-1] & last_q[DONE-1]) ? '0 : turn_q + 1'b1;
  end
  for (genvar p = 0; p < PE; p++) begin : gen_out
    logic signed [TOTAL_BITS-1:0] result;
    logic signed [ACC_BITS-1:0] out_q;
    assign result = total[turn_q][p];
    // ACC_BITS holds every result, so cutting loses copies of the sign only
    always_ff @(posedge clk) if (en) out_q <= ACC_BITS'(result);
    assign m_axis_tdata[p*ACC_BITS+:ACC_BITS] = out_q;
  end
endmodule

`default_nettype wire
