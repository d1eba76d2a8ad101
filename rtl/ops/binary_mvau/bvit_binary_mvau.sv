// BinaryMVAU: binary matrix times binary vectors, folded PE rows x SIMD columns.
//
// A token is a vector of COLS bits (1 is +1, 0 is -1), COLS/SIMD beats, bit i of beat b is column
// b*SIMD + i. Its result is ROWS/PE beats; lane j of beat b is the signed dot product of row b*PE + j:
// 2 * popcount(xnor) - COLS.
//
// Throughput: (ROWS/PE) * (COLS/SIMD) cycles a token, without bubbles within or between tokens: the
// next token is taken, at the rate it comes, while the present one is folded. Latency from a token's
// last beat to its first result: 6 cycles with the plain structure, 8 and the STAGES of
// bvit_popcount_shared with the other; one less with ROWS = PE, and one with USE_PRIMITIVES.
// Ready: s_axis_tready is a register's output; only with ROWS = PE it follows the pipeline's enable.
// The pipeline stops by registers alone (a result waiting behind another one) when COLS > SIMD;
// with COLS = SIMD its enable depends on m_axis_tready.
//
// Weights: (ROWS/PE) * (COLS/SIMD) words in MEM_FILE, neuron fold * (COLS/SIMD) + synapse fold, in the
// encoding of bvit_popcount_majority (SHARED) or plain bits; position i of
// lane j is bit i*PE + j. bvit_hw.ops.binary_mvau packs them.
`default_nettype none

module bvit_binary_mvau #(
  parameter int ROWS = 512,
  parameter int COLS = 512,
  parameter int PE = 32,
  parameter int SIMD = 64,
  parameter int ACC_W = $clog2(COLS + 1) + 1,
  parameter MEM_FILE = "",
  parameter bit ROM_BLOCK = 1'b1,   // weights in block RAM, otherwise in tables
  parameter bit SHARED = SIMD >= 7,  // popcount that shares parities: fewer LUTs from there on
  parameter int USE_PRIMITIVES = 0  // Xilinx cells: 0 none, 1 LUT6, LUT6_2, CARRY4, 2 CARRY8 instead
) (
  input  wire logic                clk,
  input  wire logic                rst,
  input  wire logic [    SIMD-1:0] s_axis_tdata,
  input  wire logic                s_axis_tvalid,
  output wire logic                s_axis_tready,
  output wire logic [PE*ACC_W-1:0] m_axis_tdata,
  output wire logic                m_axis_tvalid,
  input  wire logic                m_axis_tready
);

  if (PE < 1 || ROWS < 1 || ROWS % PE != 0) begin : gen_bad_pe
    $error("bvit_binary_mvau: PE=%0d must divide ROWS=%0d", PE, ROWS);
  end
  if (SIMD < 1 || COLS < 1 || COLS % SIMD != 0) begin : gen_bad_simd
    $error("bvit_binary_mvau: SIMD=%0d must divide COLS=%0d", SIMD, COLS);
  end
  if (ACC_W < $clog2(COLS + 1) + 1) begin : gen_bad_acc
    $error("bvit_binary_mvau: ACC_W=%0d cannot hold -COLS..COLS, COLS=%0d", ACC_W, COLS);
  end
  if (SHARED && SIMD < 3) begin : gen_bad_shared
    $error("bvit_binary_mvau: SHARED needs SIMD of 3 or more");
  end

  localparam int SF = COLS / SIMD;
  localparam int NF = ROWS / PE;
  localparam int DEPTH = SF * NF;
  localparam int ADDRESS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  localparam int WORD = SHARED ? bvit_popcount_pkg::word_bits(SIMD) : SIMD;
  localparam int BITS = $clog2(SIMD + 1);
  // The accumulator holds popcount - ceil(COLS / 2): the dot product without its constant low bit.
  localparam int SUM = $clog2(COLS + 1);
  localparam bit [SUM-1:0] START = SUM'(-((COLS + 1) / 2));

  wire logic en;
  wire logic [2:0] beat_tags;
  wire logic [SIMD-1:0] beat_bits;
  wire logic [ADDRESS-1:0] addr;
  logic [ADDRESS-1:0] addr_q;
  wire logic [WORD*PE-1:0] word;
  wire logic [2:0] row_tags;
  wire logic [BITS*PE-1:0] row_a;
  wire logic [BITS*PE-1:0] row_b;
  wire logic done;
  wire logic taken;
  wire logic [SUM*PE-1:0] sums;
  logic [SUM*PE-1:0] out_q;
  logic out_valid_q;

  bvit_replay #(
    .WIDTH(SIMD),
    .BEATS(SF),
    .OUTER(NF),
    .SHORT(1'b1),
    .STORE(NF > 1)
  ) u_replay (
    .clk,
    .rst,
    .en,
    .s_axis_tdata,
    .s_axis_tvalid,
    .s_axis_tready,
    .addr,
    .x(beat_bits),
    .valid(beat_tags[2]),
    .first(beat_tags[1]),
    .last(beat_tags[0])
  );
  // The weights come a stage later than the bits.
  always_ff @(posedge clk) if (en) addr_q <= addr;

  bvit_rom #(
    .WIDTH(WORD * PE),
    .DEPTH(DEPTH),
    .BLOCK(ROM_BLOCK),
    .INIT_FILE(MEM_FILE)
  ) u_rom (
    .clk,
    .en,
    .addr(addr_q),
    .data(word)
  );

  if (SHARED) begin : gen_shared
    bvit_popcount_shared #(
      .N(SIMD),
      .LANES(PE),
      .WORD(WORD),
      .TAGS(3),
      .BITS(BITS),
      .USE_PRIMITIVES(USE_PRIMITIVES)
    ) u_popcount (
      .clk,
      .rst,
      .en,
      .s_tags(beat_tags),
      .s_bits(beat_bits),
      .word,
      .m_tags(row_tags),
      .row_a,
      .row_b
    );
  end else begin : gen_plain
    bvit_popcount_plain #(
      .N(SIMD),
      .LANES(PE),
      .TAGS(3),
      .BITS(BITS)
    ) u_popcount (
      .clk,
      .rst,
      .en,
      .s_tags(beat_tags),
      .s_bits(beat_bits),
      .word,
      .m_tags(row_tags),
      .row(row_a)
    );
    assign row_b = '0;
  end

  bvit_popcount_accumulate #(
    .LANES(PE),
    .BITS(BITS),
    .WIDTH(SUM),
    .START(START),
    .ONE_ROW(!SHARED),
    .USE_PRIMITIVES(USE_PRIMITIVES)
  ) u_accumulate (
    .clk,
    .rst,
    .en,
    .valid(row_tags[2]),
    .first(row_tags[1]),
    .last(row_tags[0]),
    .row_a,
    .row_b,
    .taken,
    .done,
    .sums
  );

  // A finished sum leaves the accumulator for the output register as soon as that is free.
  assign taken = done && (!out_valid_q || m_axis_tready);

  if (SF > 1) begin : gen_registered_stop
    // Sums are at least two cycles apart, so stopping a cycle too long costs a free sink nothing.
    assign en = !(done && out_valid_q);
  end else begin : gen_direct_stop
    assign en = !done || taken;
  end

  always_ff @(posedge clk) begin
    if (rst) out_valid_q <= 1'b0;
    else if (taken) out_valid_q <= 1'b1;
    else if (m_axis_tready) out_valid_q <= 1'b0;
  end

  always_ff @(posedge clk) if (taken) out_q <= sums;

  assign m_axis_tvalid = out_valid_q;

  for (genvar j = 0; j < PE; j++) begin : gen_output
    wire logic signed [SUM:0] product = {out_q[j*SUM+:SUM], 1'(COLS % 2)};
    assign m_axis_tdata[j*ACC_W+:ACC_W] = ACC_W'(product);
  end

`ifndef SYNTHESIS
  always_ff @(posedge clk) begin
    if (!rst && en && done) begin
      assert (taken) else $error("bvit_binary_mvau: a finished sum was overwritten");
    end
  end
`endif

endmodule

`default_nettype wire
