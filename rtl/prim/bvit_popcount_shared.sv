// XNOR popcounts of LANES weight words against one beat of activations, by shared parities.
//
// STAGES of 6:3 counters shrink the majority bits (weight two) and left-over products (weight one)
// of bvit_popcount_majority until no column is higher than six; one carry chain then adds columns
// 1, 3, 5, ... and another one columns 2, 4, 6, ...: the popcount of a lane is row_a + row_b. The
// seventh bit of column 1 and the bits of column 0 take the free low places of the rows.
//
// One beat a cycle; the whole pipeline stops while `en` is low. Latency STAGES + 3 enabled cycles.
// The word belongs to the beat that entered one enabled cycle earlier: the activations' parities
// take that cycle, and the weight memory uses it to read. The tags travel with the beat, through
// registers of their own; they alone are reset.
`default_nettype none

module bvit_popcount_shared #(
  parameter int N = 64,      // products per lane, at least 3
  parameter int LANES = 32,
  parameter int WORD = 72,   // positions of a weight word, see bvit_popcount_majority
  parameter int TAGS = 3,
  parameter int BITS = 7,    // width of a row: clog2(N + 1)
  parameter int USE_PRIMITIVES = 0  // see bvit_binary_mvau
) (
  input  wire logic                  clk,
  input  wire logic                  rst,
  input  wire logic                  en,
  input  wire logic [      TAGS-1:0] s_tags,
  input  wire logic [         N-1:0] s_bits,
  input  wire logic [WORD*LANES-1:0] word,
  output wire logic [      TAGS-1:0] m_tags,
  output wire logic [BITS*LANES-1:0] row_a,   // lane j: [j*BITS +: BITS]
  output wire logic [BITS*LANES-1:0] row_b
);

  // A heap is described by the heights of its columns, column c (weight 2^c) in bits [c*16 +: 16].
  localparam int COLUMNS = 16;

  localparam int LAST_LEVEL = bvit_popcount_pkg::last_level(N);
  localparam int LSBS = bvit_popcount_pkg::level_size(N, LAST_LEVEL);  // products left at the end of the recursion
  localparam int MAJS = (N - LSBS) / 2;
  localparam int TOTAL = bvit_popcount_pkg::level_offset(N, LAST_LEVEL + 1);

  function automatic bit [COLUMNS*16-1:0] next_heap(input bit [COLUMNS*16-1:0] heap);
    bit [COLUMNS*16-1:0] next;
    bit [15:0] groups;
    next = heap;
    for (int c = 1; c < COLUMNS - 2; c++) begin
      groups = heap[c*16+:16] / 16'd6;
      next[c*16+:16] = next[c*16+:16] - 16'd5 * groups;
      next[(c+1)*16+:16] = next[(c+1)*16+:16] + groups;
      next[(c+2)*16+:16] = next[(c+2)*16+:16] + groups;
    end
    return next;
  endfunction

  function automatic bit [COLUMNS*16-1:0] heap_after(input int stage);
    bit [COLUMNS*16-1:0] heap;
    heap = '0;
    heap[0+:16] = 16'(LSBS);
    heap[16+:16] = 16'(MAJS);
    for (int s = 0; s < stage; s++) heap = next_heap(heap);
    return heap;
  endfunction

  function automatic int height(input bit [COLUMNS*16-1:0] heap, input int column);
    return int'(heap[column*16+:16]);
  endfunction

  // Bits in the columns below `column`.
  function automatic int below(input bit [COLUMNS*16-1:0] heap, input int column);
    int total;
    total = 0;
    for (int c = 0; c < column; c++) total = total + height(heap, c);
    return total;
  endfunction

  function automatic int stage_count();
    int count;
    int worst;
    count = 0;
    worst = 7;
    while (worst > 6) begin
      worst = height(heap_after(count), 1) - 1;
      for (int c = 2; c < COLUMNS; c++) begin
        if (height(heap_after(count), c) > worst) worst = height(heap_after(count), c);
      end
      if (worst > 6) count = count + 1;
    end
    return count;
  endfunction

  function automatic int top_column(input bit [COLUMNS*16-1:0] heap);
    int top;
    top = 0;
    for (int c = 0; c < COLUMNS; c++) if (height(heap, c) > 0) top = c;
    return top;
  endfunction

  localparam int STAGES = stage_count();

  if (N < 3) begin : gen_bad_n
    $error("bvit_popcount_shared: N is below 3; a group needs three products");
  end
  if (BITS != $clog2(N + 1)) begin : gen_bad_bits
    $error("bvit_popcount_shared: BITS is not clog2(N + 1)");
  end

  // The activations' parities, then the first level of the lanes.
  wire logic [TOTAL-1:0] levels;
  logic [TOTAL-1:0] levels_q;

  bvit_popcount_parity #(
    .N(N),
    .TOTAL(TOTAL)
  ) u_parity (
    .x(s_bits),
    .levels
  );

  always_ff @(posedge clk) if (en) levels_q <= levels;

  wire logic [MAJS*LANES-1:0] majority;
  wire logic [LSBS*LANES-1:0] rest;

  bvit_popcount_majority #(
    .N(N),
    .LANES(LANES),
    .TOTAL(TOTAL),
    .WORD(WORD),
    .MAJS(MAJS),
    .LSBS(LSBS)
  ) u_majority (
    .levels(levels_q),
    .word,
    .majority,
    .rest
  );

  // The heap, column after column, within a column position after position, LANES bits each.
  for (genvar s = 0; s <= STAGES; s++) begin : gen_stage
    localparam bit [COLUMNS*16-1:0] HEAP = heap_after(s);
    localparam int SIZE = below(HEAP, COLUMNS);
    wire logic [SIZE*LANES-1:0] heap_d;
    // A shift register in a LUT is dearer than the registers of the few bits that wait.
    (* shreg_extract = "no" *) logic [SIZE*LANES-1:0] heap_q;

    always_ff @(posedge clk) if (en) heap_q <= heap_d;

    if (s == 0) begin : gen_first
      assign heap_d = {majority, rest};
    end else begin : gen_next
      localparam bit [COLUMNS*16-1:0] LAST = heap_after(s - 1);
      assign heap_d[0+:LSBS*LANES] = gen_stage[s-1].heap_q[0+:LSBS*LANES];
      // A column's new bits, in this order: those left over, the ones of its own counters, the twos
      // of the column below, the fours of the column two below.
      for (genvar c = 1; c < COLUMNS - 2; c++) begin : gen_column
        localparam int G = height(LAST, c) / 6;
        localparam int R = height(LAST, c) % 6;
        localparam int FROM = below(LAST, c);
        localparam int TO = below(HEAP, c);
        localparam int G_NEXT = height(LAST, c + 1) / 6;
        localparam int TWOS = below(HEAP, c + 1) + height(LAST, c + 1) % 6 + G_NEXT;
        localparam int FOURS = below(HEAP, c + 2) + height(LAST, c + 2) % 6
            + height(LAST, c + 2) / 6 + G_NEXT;
        if (R > 0) begin : gen_rest
          assign heap_d[TO*LANES+:R*LANES] = gen_stage[s-1].heap_q[(FROM+6*G)*LANES+:R*LANES];
        end
        if (G > 0) begin : gen_count
          bvit_popcount_compress #(
            .G(G * LANES),
            .USE_PRIMITIVES(USE_PRIMITIVES)
          ) u_compress (
            .bits (gen_stage[s-1].heap_q[FROM*LANES+:6*G*LANES]),
            .ones (heap_d[(TO+R)*LANES+:G*LANES]),
            .twos (heap_d[TWOS*LANES+:G*LANES]),
            .fours(heap_d[FOURS*LANES+:G*LANES])
          );
        end
      end
    end
  end

  // Two rows. Chain A takes columns 1, 3, 5, ..., chain B columns 2, 4, 6, ...
  localparam bit [COLUMNS*16-1:0] HEAP = heap_after(STAGES);
  localparam int SIZE = below(HEAP, COLUMNS);
  localparam int TOP = top_column(HEAP);
  localparam int COLUMNS_A = (TOP + 1) / 2;
  localparam int COLUMNS_B = TOP / 2;
  localparam bit SPARE = height(HEAP, 1) == 7;

  // Heights of the columns that chain A (offset 1) or B (offset 2) adds.
  function automatic bit [COLUMNS*16-1:0] chain_heights(input int offset);
    bit [COLUMNS*16-1:0] heights;
    heights = '0;
    for (int c = 0; 2 * c + offset <= TOP; c++) begin
      heights[c*16+:16] = HEAP[(2*c+offset)*16+:16];
    end
    if (offset == 1 && SPARE) heights[0+:16] = 16'd6;
    return heights;
  endfunction

  wire logic [SIZE*LANES-1:0] heap = gen_stage[STAGES].heap_q;
  logic [BITS*LANES-1:0] row_a_d;
  logic [BITS*LANES-1:0] row_b_d;
  logic [BITS*LANES-1:0] row_a_q;
  logic [BITS*LANES-1:0] row_b_q;

  for (genvar k = 0; k < 2; k++) begin : gen_row
    localparam bit [COLUMNS*16-1:0] HEIGHTS = chain_heights(k + 1);
    localparam int CHAIN = (k == 0) ? COLUMNS_A : COLUMNS_B;
    localparam int BELOW = k + 1;  // places under the chain
    localparam int LENGTH = 2 * CHAIN + 1;
    localparam int WIDTH = (LENGTH > BITS - BELOW) ? BITS - BELOW : LENGTH;
    localparam int CHAIN_BITS = below(HEIGHTS, COLUMNS);
    if (CHAIN > 0) begin : gen_chain
      wire logic [CHAIN_BITS*LANES-1:0] bits;
      wire logic [WIDTH*LANES-1:0] rows;
      for (genvar c = 0; c < CHAIN; c++) begin : gen_gather
        localparam int H = height(HEIGHTS, c);
        assign bits[below(HEIGHTS, c)*LANES+:H*LANES] =
            heap[below(HEAP, 2*c+BELOW)*LANES+:H*LANES];
      end
      bvit_popcount_chain #(
        .COLUMNS(CHAIN),
        .HEIGHTS(HEIGHTS),
        .TOTAL(CHAIN_BITS),
        .LANES(LANES),
        .WIDTH(WIDTH),
        .USE_PRIMITIVES(USE_PRIMITIVES)
      ) u_chain (
        .bits,
        .rows
      );
    end
    for (genvar j = 0; j < LANES; j++) begin : gen_lane
      wire logic [BITS-1:0] row;
      if (CHAIN > 0) begin : gen_sum
        assign row[BELOW+:WIDTH] = gen_chain.rows[j*WIDTH+:WIDTH];
      end else if (BELOW < BITS) begin : gen_nothing
        assign row[BITS-1:BELOW] = '0;
      end
      if (CHAIN > 0 && BELOW + WIDTH < BITS) begin : gen_above
        assign row[BITS-1:BELOW+WIDTH] = '0;
      end
      if (k == 0) begin : gen_low_a
        assign row[0] = heap[j];
      end else begin : gen_low_b
        if (LSBS > 1) begin : gen_second
          assign row[0] = heap[LANES+j];
        end else begin : gen_none
          assign row[0] = 1'b0;
        end
        if (SPARE) begin : gen_spare
          assign row[1] = heap[(LSBS+6)*LANES+j];
        end else begin : gen_empty
          assign row[1] = 1'b0;
        end
      end
      if (k == 0) begin : gen_a
        assign row_a_d[j*BITS+:BITS] = row;
      end else begin : gen_b
        assign row_b_d[j*BITS+:BITS] = row;
      end
    end
  end

  always_ff @(posedge clk) begin
    if (en) begin
      row_a_q <= row_a_d;
      row_b_q <= row_b_d;
    end
  end
  assign row_a = row_a_q;
  assign row_b = row_b_q;

  // Registers between a beat and its rows: parities, one behind each heap, rows.
  localparam int LATENCY = STAGES + 3;
  logic [LATENCY*TAGS-1:0] tags_q;

  always_ff @(posedge clk) begin
    if (rst) tags_q <= '0;
    else if (en) tags_q <= {tags_q[(LATENCY-1)*TAGS-1:0], s_tags};
  end
  assign m_tags = tags_q[(LATENCY-1)*TAGS+:TAGS];

endmodule

`default_nettype wire
