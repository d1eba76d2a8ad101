// Per-channel threshold to one bit: 1 (for +1) iff x >= threshold[c], else 0 (for -1).
//
// Throughput: one beat a cycle, no bubbles. Latency: 2 cycles. Ready is combinational on the
// output's ready.
// THRESHOLD_FILE: a word for each beat of a token, lane PE-1 .. lane 0 from high to low bits,
// signed thresholds of IN_BITS + 1 bits, so that "never" fits too. THRESHOLD_BLOCK puts it into
// block RAM.
`default_nettype none

module bvit_binarize #(
  parameter int PE = 1,
  parameter int BEATS = 2,
  parameter int IN_BITS = 8,
  parameter bit THRESHOLD_BLOCK = 1'b0,
  parameter THRESHOLD_FILE = ""
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic [PE*IN_BITS-1:0] s_axis_tdata,
  input  wire logic                  s_axis_tvalid,
  output      logic                  s_axis_tready,
  output      logic [PE-1:0]         m_axis_tdata,
  output      logic                  m_axis_tvalid,
  input  wire logic                  m_axis_tready
);
  localparam int BEAT_BITS = (BEATS > 1) ? $clog2(BEATS) : 1;

  if (PE < 1 || BEATS < 1 || IN_BITS < 1) begin : gen_illegal
    $error("bvit_binarize: PE=%0d, BEATS=%0d and IN_BITS=%0d must be positive", PE, BEATS, IN_BITS);
  end

  logic [1:0] valid_q;
  logic en, fire;
  assign en = m_axis_tready | ~valid_q[1];
  assign fire = en & s_axis_tvalid;
  assign s_axis_tready = en;
  assign m_axis_tvalid = valid_q[1];
  always_ff @(posedge clk) begin
    if (rst) valid_q <= '0;
    else if (en) valid_q <= {valid_q[0], s_axis_tvalid};
  end

  logic [BEAT_BITS-1:0] beat;
  bvit_beat_counter #(
    .BEATS(BEATS)
  ) u_counter (
    .clk(clk),
    .rst(rst),
    .step(fire),
    .beat(beat),
    /* verilator lint_off PINCONNECTEMPTY */
    .frame_beat()
    /* verilator lint_on PINCONNECTEMPTY */
  );

  logic [PE-1:0][IN_BITS:0] threshold;
  bvit_rom #(
    .WIDTH(PE * (IN_BITS + 1)),
    .DEPTH(BEATS),
    .BLOCK(THRESHOLD_BLOCK),
    .INIT_FILE(THRESHOLD_FILE)
  ) u_threshold (
    .clk(clk),
    .en,
    .addr(beat),
    .data(threshold)
  );

  for (genvar p = 0; p < PE; p++) begin : gen_lane
    logic signed [IN_BITS-1:0] x_q;
    logic bit_q;
    always_ff @(posedge clk) begin
      if (en) begin
        x_q <= s_axis_tdata[p*IN_BITS+:IN_BITS];
        bit_q <= (IN_BITS + 1)'(x_q) >= signed'(threshold[p]);
      end
    end
    assign m_axis_tdata[p] = bit_q;
  end
endmodule

`default_nettype wire
