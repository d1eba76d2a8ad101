// Puts a row's attended bits together, group by group, and counts them. Bits of the last group that
// belong to no key must be 0.
//
// One group a cycle; a row is there 5 enabled cycles after its last group entered. `en` is the
// enable of this unit and of whatever feeds it: low while a group would follow a row that is done
// and the row before that has not been taken. It depends on registers alone, with EVERY_CYCLE on
// `m_ready`. `m_valid` comes from a register, and a row stays until it is taken.
`default_nettype none

module bvit_attention_row #(
  parameter int KEYS = 4,
  parameter int KP = 1,
  parameter bit EVERY_CYCLE = 1'b0,  // a row may come every cycle; else every other one at most
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
  wire logic row_in = got_valid_q[2] && en;
  /* verilator lint_off UNUSEDSIGNAL */
  wire logic [ROW_BITS+KP-1:0] shifted_row = {got2_q, row_q};  // the lowest group falls out
  /* verilator lint_on UNUSEDSIGNAL */

  // A row that is done waits beside the one that shifts in, so that no enable of the score phase waits for what
  // the output phase does in the same cycle. Rows that are two cycles apart lose nothing where it is seen a cycle late
  // that there is room.
  logic [KEYS-1:0] done_row_q;
  logic signed [MINUS_BITS-1:0] done_minus_q;
  logic done_q, done_final_q;
  wire logic stays = done_q && !(EVERY_CYCLE && m_ready);
  wire logic hand_over = full_q && !stays;
  assign en = !got_valid_q[2] || !full_q || !stays;

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
      else if (hand_over) full_q <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    if (hand_over) begin
      done_row_q <= row_q[KEYS-1:0];
      done_minus_q <= minus_q;
      done_final_q <= final_q;
    end
    if (rst) done_q <= 1'b0;
    else if (hand_over) done_q <= 1'b1;
    else if (m_ready) done_q <= 1'b0;
  end
  assign m_valid = done_q;
  assign m_row = done_row_q;
  assign m_minus = done_minus_q;
  assign m_frame_last = done_final_q;

endmodule

`default_nettype wire
