// Buffer of two groups that shows each group over and over: a group is CHUNKS chunks of BEATS beats;
// every chunk is shown INNER times in a row, the whole group OUTER times.
//
// Throughput one beat out a cycle, no bubbles within or between groups as long as the next group's
// beats are there; they are taken while the present group is shown. The first time a beat follows
// its arrival two cycles later. `x`, `valid`, `first` and `last` (of a group) come from registers
// that move with `en`; `addr` counts the beats of all OUTER times and belongs to the beat that they
// take next (INNER 1). Input ready does not depend on `en`; SHORT brings it, and whether a beat is
// there, out of registers of their own, for a few LUTs, and takes nothing in reset. Without STORE, for
// what is shown once, a beat goes through in one cycle and ready is `en`.
`default_nettype none

module bvit_replay #(
  parameter int WIDTH = 8,
  parameter int BEATS = 4,
  parameter int CHUNKS = 1,
  parameter int INNER = 1,
  parameter int OUTER = 2,
  parameter bit BLOCK = 1'b0,
  parameter bit ADDER = 1'b1,
  parameter bit SHORT = 1'b0,
  parameter bit STORE = 1'b1,
  localparam int PLAYED = OUTER * CHUNKS * BEATS,
  localparam int ADDR_BITS = (PLAYED > 1) ? $clog2(PLAYED) : 1
) (
  input  wire logic                 clk,
  input  wire logic                 rst,
  input  wire logic                 en,
  input  wire logic [    WIDTH-1:0] s_axis_tdata,
  input  wire logic                 s_axis_tvalid,
  output      logic                 s_axis_tready,
  output      logic [ADDR_BITS-1:0] addr,
  output      logic [    WIDTH-1:0] x,
  output      logic                 valid,
  output      logic                 first,
  output      logic                 last
);
  if (WIDTH < 1 || BEATS < 1 || CHUNKS < 1 || INNER < 1 || OUTER < 1) begin : gen_illegal
    $error("bvit_replay: WIDTH, BEATS, CHUNKS, INNER and OUTER must be positive");
  end
  if (!STORE && INNER * OUTER > 1) begin : gen_illegal_store
    $error("bvit_replay: STORE is needed to show a beat %0d times", INNER * OUTER);
  end

  localparam int GROUP = CHUNKS * BEATS;
  // Without an inner loop the chunks are one.
  localparam int RUN = (INNER == 1) ? GROUP : BEATS;
  localparam int RUNS = GROUP / RUN;
  localparam int RUN_BITS = (RUN > 1) ? $clog2(RUN) : 1;
  localparam int RUNS_BITS = (RUNS > 1) ? $clog2(RUNS) : 1;
  localparam int OUTER_BITS = (OUTER > 1) ? $clog2(OUTER) : 1;
  localparam int PLACE_BITS = (GROUP > 1) ? $clog2(GROUP) : 1;

  // ---- four nested loops
  logic there, step;
  logic [RUN_BITS-1:0] beat;
  logic [RUNS_BITS-1:0] chunk;
  logic [OUTER_BITS-1:0] outer;
  logic [PLACE_BITS-1:0] place;  // of the beat in its group
  logic last_beat, last_inner, last_chunk, last_outer, group_end;
  logic first_beat, first_inner, first_outer;
  logic step_inner, step_chunk, step_outer;
  assign step = en && there;
  assign step_inner = step && last_beat;
  assign step_chunk = step_inner && last_inner;
  assign step_outer = step_chunk && last_chunk;
  assign group_end = step_outer && last_outer;
  /* verilator lint_off PINCONNECTEMPTY */
  bvit_loop_counter #(.COUNT(INNER)) u_inner (
    .clk, .rst, .step(step_inner), .index(), .first(first_inner), .last(last_inner)
  );
  bvit_loop_counter #(.COUNT(RUNS)) u_chunk (
    .clk, .rst, .step(step_chunk), .index(chunk), .first(), .last(last_chunk)
  );
  localparam bit ONE_COUNT = ADDER && INNER == 1 && GROUP > 1 && OUTER > 1 && (1 << PLACE_BITS) == GROUP;
  if (ONE_COUNT) begin : gen_one_count
    // The beats of a group are the low bits of one count.
    bvit_loop_counter #(.COUNT(PLAYED)) u_played (
      .clk, .rst, .step, .index({outer, beat}), .first(), .last()
    );
    assign first_beat = beat == '0;
    assign last_beat = &beat;
    assign first_outer = outer == '0;
    assign last_outer = outer == OUTER_BITS'(OUTER - 1);
  end else begin : gen_counts
    bvit_loop_counter #(.COUNT(RUN), .ADDER(ADDER)) u_beat (
      .clk, .rst, .step, .index(beat), .first(first_beat), .last(last_beat)
    );
    bvit_loop_counter #(.COUNT(OUTER), .ADDER(ADDER)) u_outer (
      .clk, .rst, .step(step_outer), .index(outer), .first(first_outer), .last(last_outer)
    );
  end

  if (RUNS == 1) begin : gen_one_run
    assign place = beat;
  end else if (RUN == 1) begin : gen_runs_of_one
    assign place = chunk;
  end else if ((1 << RUN_BITS) == RUN) begin : gen_bits
    assign place = {chunk, beat};
  end else begin : gen_place
    logic [PLACE_BITS-1:0] place_q;
    always_ff @(posedge clk) begin
      if (rst) place_q <= '0;
      else if (step) begin
        if (last_beat && !last_inner) place_q <= place_q - PLACE_BITS'(BEATS - 1);
        else if (last_beat && last_chunk) place_q <= '0;
        else place_q <= place_q + 1'b1;
      end
    end
    assign place = place_q;
  end

  if (OUTER == 1) begin : gen_addr_of_one
    assign addr = place;
  end else if (GROUP == 1) begin : gen_addr_of_outer
    assign addr = outer;
  end else if ((1 << PLACE_BITS) == GROUP) begin : gen_addr_bits
    assign addr = {outer, place};
  end else begin : gen_addr
    bvit_loop_counter #(.COUNT(PLAYED), .ADDER(ADDER)) u_addr (
      .clk, .rst, .step, .index(addr), .first(), .last()
    );
  end

  // Not every shape needs all of them.
  logic unused;
  assign unused = &{1'b0, beat, chunk, outer, place, first_inner, first_outer, last_inner, last_outer, group_end};

  always_ff @(posedge clk) begin
    if (rst) valid <= 1'b0;
    else if (en) valid <= there;
  end
  always_ff @(posedge clk) begin
    if (en) begin
      first <= first_beat;
      last <= last_beat;
    end
  end

  if (!STORE) begin : gen_through
    assign there = s_axis_tvalid;
    assign s_axis_tready = en;
    always_ff @(posedge clk) if (en) x <= s_axis_tdata;
  end else begin : gen_store
    localparam int WORDS = 2 * GROUP;
    localparam int COUNT_BITS = $clog2(WORDS + 1);
    localparam int WORD_BITS = $clog2(WORDS);

    // ---- write side: a word's place is above the bit that says which of the two groups it is of
    logic write, write_last, free, write_bank_q, read_bank_q;
    logic [PLACE_BITS-1:0] write_place;
    logic [WORD_BITS-1:0] waddr, raddr;
    logic [COUNT_BITS-1:0] used_q, used_d;  // words written and not yet shown for the last time
    assign write = s_axis_tvalid && s_axis_tready;
    assign free = step && last_inner && last_outer;
    bvit_loop_counter #(.COUNT(GROUP)) u_write (
      .clk, .rst, .step(write), .index(write_place), .first(), .last(write_last)
    );
    if (GROUP == 1) begin : gen_word
      assign {waddr, raddr} = {write_bank_q, read_bank_q};
      logic unused_place;
      assign unused_place = write_place;
    end else begin : gen_words
      assign waddr = {write_place, write_bank_q};
      assign raddr = {place, read_bank_q};
    end
    always_comb begin
      used_d = used_q;
      if (write != free) used_d = write ? used_q + 1'b1 : used_q - 1'b1;
    end
    always_ff @(posedge clk) begin
      if (rst) begin
        write_bank_q <= 1'b0;
        read_bank_q <= 1'b0;
        used_q <= '0;
      end else begin
        if (write && write_last) write_bank_q <= !write_bank_q;
        if (group_end) read_bank_q <= !read_bank_q;
        used_q <= used_d;
      end
    end

    if (SHORT) begin : gen_short
      logic [COUNT_BITS-1:0] fresh_q, fresh_d;  // words that have not been shown
      logic ready_q, there_q;
      assign fresh_d = fresh_q + COUNT_BITS'(write) - COUNT_BITS'(step && first_inner && first_outer);
      always_ff @(posedge clk) begin
        if (rst) begin
          fresh_q <= '0;
          ready_q <= 1'b0;
          there_q <= 1'b0;
        end else begin
          fresh_q <= fresh_d;
          ready_q <= used_d != COUNT_BITS'(WORDS);
          there_q <= fresh_d != '0;
        end
      end
      assign there = !first_inner || !first_outer || there_q;
      assign s_axis_tready = ready_q;
`ifndef SYNTHESIS
      always_ff @(posedge clk) begin
        if (!rst) begin
          assert (used_q <= COUNT_BITS'(WORDS) && fresh_q <= used_q)
          else $error("bvit_replay: more beats counted than stored");
        end
      end
`endif
    end else begin : gen_compare
      logic full;
      assign full = used_q == COUNT_BITS'(WORDS);
      // A word that has been there once stays until it is shown for the last time, so equal
      // addresses mean that it is missing or, when full, that the next word would take its place.
      assign there = raddr != waddr || full;
      assign s_axis_tready = !full;
    end

    bvit_ram #(
      .DEPTH(WORDS),
      .LANE_BITS(WIDTH),
      .STYLE(int'(BLOCK))
    ) u_ram (
      .clk,
      .we(write),
      .waddr,
      .wdata(s_axis_tdata),
      .re(en),
      .raddr,
      .rdata(x)
    );
  end
  /* verilator lint_on PINCONNECTEMPTY */
endmodule

`default_nettype wire
