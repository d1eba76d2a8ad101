// Query rows (one query, one head) one after another, each for the K_GROUPS cycles in which all
// groups of keys meet it.
//
// s_axis: SIMD channels a beat. The row that is worked on stays in a register, the next one gathers
// meanwhile; its last beat waits for the change, so that rows follow each other without a bubble.
// Ready is combinational on `en`. The first group meets a row in the cycle after its last beat.
// With more than four groups a row that is whole waits in a register of its own, and ready comes from
// registers: `en` is late there, for it moves a score phase of many keys. A row then meets its first
// group a cycle later.
// `issue`: `row` meets the keys of `group`, `head` in this cycle (always one with `en`);
// `group_last` marks the row's last group, `frame_last` a row that is its frame's last, and
// `frame_done` the last read of the frame's keys.
`default_nettype none

module bvit_attention_queries #(
  parameter int QUERIES = 16,
  parameter int HEADS = 2,
  parameter int HEAD_DIM = 32,
  parameter int SIMD = 8,
  parameter int K_GROUPS = 4,
  localparam int GROUP_BITS = (K_GROUPS > 1) ? $clog2(K_GROUPS) : 1,
  localparam int HEAD_BITS = (HEADS > 1) ? $clog2(HEADS) : 1
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  en,
  input  wire logic [      SIMD-1:0] s_axis_tdata,
  input  wire logic                  s_axis_tvalid,
  output wire logic                  s_axis_tready,
  input  wire logic                  k_there,        // the frame's keys may be read
  output wire logic                  issue,
  output wire logic                  group_last,
  output wire logic                  frame_last,
  output wire logic                  frame_done,
  output wire logic [  HEAD_DIM-1:0] row,
  output wire logic [GROUP_BITS-1:0] group,
  output wire logic [ HEAD_BITS-1:0] head
);

  localparam int QUERY_BITS = (QUERIES > 1) ? $clog2(QUERIES) : 1;

  logic [HEAD_DIM-1:0] row_q;
  logic valid_q;
  logic [GROUP_BITS-1:0] group_q;
  logic [HEAD_BITS-1:0] head_q;
  logic [QUERY_BITS-1:0] query_q;
  wire logic [HEAD_DIM-1:0] next_row;
  wire logic next_last;
  wire logic take = s_axis_tvalid && s_axis_tready;
  wire logic row_done = issue && group_last;
  wire logic head_last = head_q == HEAD_BITS'(HEADS - 1);

  wire logic load;
  wire logic [HEAD_DIM-1:0] load_row;
  if (K_GROUPS > 4) begin : gen_apart
    logic [HEAD_DIM-1:0] whole_q;
    logic whole_valid_q;
    wire logic whole = take && next_last;
    assign s_axis_tready = !next_last || !whole_valid_q;
    assign load = whole_valid_q && (!valid_q || row_done);
    assign load_row = whole_q;
    always_ff @(posedge clk) begin
      if (whole) whole_q <= next_row;
      if (rst) whole_valid_q <= 1'b0;
      else if (whole) whole_valid_q <= 1'b1;
      else if (load) whole_valid_q <= 1'b0;
    end
  end else begin : gen_at_once
    assign s_axis_tready = !next_last || !valid_q || row_done;
    assign load = take && next_last;
    assign load_row = next_row;
  end
  assign issue = valid_q && k_there && en;
  assign group_last = group_q == GROUP_BITS'(K_GROUPS - 1);
  assign frame_last = head_last && query_q == QUERY_BITS'(QUERIES - 1);
  assign frame_done = row_done && frame_last;
  assign row = row_q;
  assign group = group_q;
  assign head = head_q;

  bvit_attention_gather #(
    .WIDTH(HEAD_DIM),
    .LANES(SIMD)
  ) u_gather (
    .clk,
    .rst,
    .take,
    .data(s_axis_tdata),
    .word(next_row),
    .last(next_last)
  );

  always_ff @(posedge clk) begin
    if (load) row_q <= load_row;
    if (rst) begin
      valid_q <= 1'b0;
      group_q <= '0;
      head_q <= '0;
      query_q <= '0;
    end else begin
      if (load) valid_q <= 1'b1;
      else if (row_done) valid_q <= 1'b0;
      if (issue) group_q <= group_last ? '0 : group_q + 1'b1;
      if (row_done) head_q <= head_last ? '0 : head_q + 1'b1;
      if (row_done && head_last) query_q <= frame_last ? '0 : query_q + 1'b1;
    end
  end

endmodule

`default_nettype wire
