// The border of bvit_binary_attention, which has three inputs: beats that go out stay, none goes out before its row's
// query and all of its frame's keys and values, none is lost or doubled, and each input's ready comes back while the
// others offer beats. Contents of memories are free, for no handshake may depend on data.
//
// Beats are weighed as in fv_operator: of queries by the row, of keys and values by the frame.
`include "fv.svh"
`default_nettype none

module fv_attention #(
  parameter int QUERIES = 1,
  parameter int KEYS = 2,
  parameter int HEADS = 1,
  parameter int HEAD_DIM = 2,
  parameter int SIMD = 1,
  parameter int KP = 1,
  parameter int MP = 1,
  parameter int PE = 1,
  parameter int HELD_Q = 1,  // owed at most, by the beats of queries, of keys and of values that are held
  parameter int HELD_K = 1,
  parameter int HELD_V = 1,
  parameter int WAIT = 1     // refusals of an input in a row while the other inputs are offered and the output is ready
) (
  input wire logic clk,
  input wire logic rst,
  input wire logic [SIMD-1:0] s0_axis_tdata,
  input wire logic            s0_axis_tvalid,
  input wire logic [SIMD-1:0] s1_axis_tdata,
  input wire logic            s1_axis_tvalid,
  input wire logic [SIMD-1:0] s2_axis_tdata,
  input wire logic            s2_axis_tvalid,
  input wire logic            m_axis_tready
);
  localparam int ROW_IN = HEAD_DIM / SIMD;
  localparam int ROW_OUT = HEAD_DIM / PE;
  localparam int FRAME_IN = KEYS * HEADS * ROW_IN;
  localparam int FRAME_OUT = QUERIES * HEADS * ROW_OUT;
  localparam int WORD = PE * ($clog2(KEYS + 1) + 1);
  logic after_reset, m_axis_tvalid, give;
  logic [2:0] valid, ready;
  logic [WORD-1:0] m_axis_tdata;
  assign valid = {s2_axis_tvalid, s1_axis_tvalid, s0_axis_tvalid};

  bvit_binary_attention #(
    .QUERIES(QUERIES), .KEYS(KEYS), .HEADS(HEADS), .HEAD_DIM(HEAD_DIM), .TABLE_BITS(2), .TABLE_SHIFT(1), .SIMD(SIMD),
    .KP(KP), .MP(MP), .PE(PE)
  ) dut (
    .s0_axis_tready(ready[0]), .s1_axis_tready(ready[1]), .s2_axis_tready(ready[2]), .*
  );

  fv_reset u_reset (.*);
  fv_sink #(.W(WORD)) u_sink (
    .clk, .rst, .after_reset, .tdata(m_axis_tdata), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
  assign give = m_axis_tvalid && m_axis_tready;

  for (genvar i = 0; i < 3; i++) begin : gen_input
    localparam int IN = (i == 0) ? ROW_IN : FRAME_IN;      // beats of a row or frame
    localparam int OUT = (i == 0) ? ROW_OUT : FRAME_OUT;
    localparam int HELD = ((i == 0) ? HELD_Q : (i == 1) ? HELD_K : HELD_V) * OUT;
    localparam int BITS = $clog2(HELD + IN * OUT + 2);
    localparam int OUT_BITS = (OUT > 1) ? $clog2(OUT) : 1;
    logic [BITS-1:0] owed_q;          // goes round where one of the assertions fails
    logic [OUT_BITS-1:0] out_q;       // beats of the row or frame that went out
    logic [SIMD-1:0] data;
    assign data = (i == 0) ? s0_axis_tdata : (i == 1) ? s1_axis_tdata : s2_axis_tdata;
    always_ff @(posedge clk) begin
      if (rst) begin
        owed_q <= '0;
        out_q <= '0;
      end else begin
        owed_q <= owed_q + (valid[i] && ready[i] ? BITS'(OUT) : '0) - (give ? BITS'(IN) : '0);
        if (give) out_q <= (out_q == OUT_BITS'(OUT - 1)) ? '0 : out_q + 1'b1;
      end
    end
    fv_source #(.W(SIMD)) u_source (
      .clk, .rst, .tdata(data), .tvalid(valid[i]), .tready(ready[i])
    );
    fv_progress #(.WAIT(WAIT)) u_progress (
      .clk, .rst, .tvalid(valid[i]), .tready(ready[i]), .outputs_ready(m_axis_tready && &(valid | 3'(1 << i)))
    );
    // All beats of the row or frame have come.
    `FV_ASSERT(none_before_its_inputs, rst || !m_axis_tvalid || owed_q >= BITS'(IN * OUT) - BITS'(IN) * BITS'(out_q))
    `FV_ASSERT(none_lost, rst || owed_q <= BITS'(HELD))
    `FV_COVER_POINT(as_much_as_said, !rst && owed_q == BITS'(HELD))
    `FV_COVER_POINT(several, !rst && give && valid[i] && ready[i])
  end
endmodule

`default_nettype wire
