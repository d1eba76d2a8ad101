// Puts a row's attended bits together, group by group, and counts them. Bits of the last group that
// belong to no key must be 0.
//
// One group a cycle; a row is there 4 enabled cycles after its last group entered. `en` is the
// enable of this unit and of whatever feeds it: low while a group would follow a row that has not
// been taken. It is combinational on `m_ready`; `m_valid` comes from a register, and a row stays
// until it is taken.
`default_nettype none

module bvit_attention_row #(
  parameter int KEYS = 4,
  parameter int KP = 1,
  localparam int MINUS_BITS = $clog2(KEYS + 1) + 1
) (
  input  wire logic                         clk,
  input  wire logic                         rst,
  output wire logic                         en,
  input  wire logic                         s_valid,
  input  wire logic                         s_group_last,
  input  wire logic                         s_frame_last,
  input  wire logic        [        KP-1:0] s_attended,
  output wire logic                         m_valid,
  input  wire logic                         m_ready,
  output wire logic        [      KEYS-1:0] m_row,         // bit j: key j is attended
  output wire logic signed [MINUS_BITS-1:0] m_minus,       // minus the number of attended keys
  output wire logic                         m_frame_last
);

  // The number of ones takes two stages after the bits' own.
  localparam int GROUP_COUNT_BITS = $clog2(KP + 1);
  logic [2:0] got_valid_q, got_last_q, got_final_q;
  logic [KP-1:0] got0_q, got1_q, got2_q;
  wire logic [GROUP_COUNT_BITS-1:0] got_count;
  always_ff @(posedge clk) begin
    if (en) begin
      got0_q <= s_attended;
      got1_q <= got0_q;
      got2_q <= got1_q;
      got_last_q <= {got_last_q[1:0], s_group_last};
      got_final_q <= {got_final_q[1:0], s_frame_last};
    end
    if (rst) got_valid_q <= '0;
    else if (en) got_valid_q <= {got_valid_q[1:0], s_valid};
  end

  bvit_attention_popcount #(
    .N(KP)
  ) u_group_count (
    .clk,
    .en,
    .bits (got0_q),
    .count(got_count)
  );

  // The row's bits shift in group by group.
  localparam int ROW_BITS = (KEYS + KP - 1) / KP * KP;
  logic [ROW_BITS-1:0] row_q;
  logic signed [MINUS_BITS-1:0] minus_q;
  logic full_q, first_q, final_q;
  wire logic take = m_valid && m_ready;
  wire logic row_in = got_valid_q[2] && en;
  /* verilator lint_off UNUSEDSIGNAL */
  wire logic [ROW_BITS+KP-1:0] shifted_row = {got2_q, row_q};  // the lowest group falls out
  /* verilator lint_on UNUSEDSIGNAL */

  assign en = !got_valid_q[2] || !full_q || take;

  always_ff @(posedge clk) begin
    if (row_in) begin
      row_q <= shifted_row[ROW_BITS+KP-1:KP];
      minus_q <= (first_q ? '0 : minus_q) - MINUS_BITS'(got_count);
      final_q <= got_final_q[2];
    end
    if (rst) begin
      full_q <= 1'b0;
      first_q <= 1'b1;
    end else begin
      if (row_in) first_q <= got_last_q[2];
      if (row_in && got_last_q[2]) full_q <= 1'b1;
      else if (take) full_q <= 1'b0;
    end
  end

  assign m_valid = full_q;
  assign m_row = row_q[KEYS-1:0];
  assign m_minus = minus_q;
  assign m_frame_last = final_q;

endmodule

`default_nettype wire
