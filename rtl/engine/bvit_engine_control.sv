// Goes through a programme: fetches commands from DRAM, carries LOAD and STORE out on the masters, leaves others to
// the core, until END.
//
// Up to AHEAD commands are fetched beforehand; beats of commands wait in a FIFO. A LOAD is asked of the master and left
// to it, so that the next one is on its way while the data of the one before come. A command for the core waits for all
// LOADs in front of it. While the core carries one out, LOADs that do not have to wait are carried out: those that say
// so wait, those to the memory of bits, and all while the core writes weights itself. So behind the core's command
// there are LOADs at most, and the next one for the core. STOREs, LOADs to bits, and those to values that say so, wait
// until the core has written all: that is some cycles behind the end of its command.
//
// `start` begins a frame, with the three addresses, multiples of a beat's bytes; `done` is a pulse. What ends a frame
// early is in `flags` until the next start: an error of DRAM (all beats that were asked for are awaited), a kind that
// is none, or TIMEOUT cycles in which DRAM did nothing. After that the engine waits for a reset. What lies behind END
// is fetched, and not looked at: AHEAD - 1 commands at most.
`default_nettype none

module bvit_engine_control #(
  parameter int ADDRESS = 32,
  parameter int TIMEOUT = 1 << 20,
  parameter int AHEAD = 4,
  parameter int PORT = 64,      // bits of a beat: slices of 64 bits
  localparam int TAG = 28
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               start,
  input  wire logic [ADDRESS-1:0] programme,
  input  wire logic [ADDRESS-1:0] input_base,
  input  wire logic [ADDRESS-1:0] output_base,
  output      logic               busy,
  output      logic               done,
  output      logic [3:0]         flags,
  // what a frame's cycles go into: the core, or what it waits for
  output      logic               is_core,
  output      logic               is_fetch,
  output      logic               is_load,
  output      logic               is_store,
  output      logic               command_done,
  // core
  output      logic [bvit_engine_pkg::COMMAND_BITS-1:0] core_command,
  output      logic               core_start,
  input  wire logic               core_done,
  input  wire logic               core_idle,
  output      logic               load_we,
  output      logic [2:0]         load_memory,
  output      logic [15:0]        load_addr,
  output      logic [7:0]         load_slice,    // in beats
  output      logic [PORT-1:0]    load_data,
  // masters
  output      logic               read_ask,
  input  wire logic               read_ready,
  output      logic [ADDRESS-1:0] read_addr,
  output      logic [23:0]        read_beats,
  output      logic [23:0]        read_less,     // those less two
  output      logic               read_single,   // one
  output      logic               read_held,     // those of a LOAD to values
  output      logic [TAG-1:0]     read_tag,
  input  wire logic               read_valid,
  input  wire logic [PORT-1:0]    read_data,
  input  wire logic               read_first,
  input  wire logic               read_last,
  input  wire logic               read_error,
  input  wire logic [TAG-1:0]     read_of,       // the tag that comes back
  input  wire logic               read_busy,
  output      logic               write_start,
  output      logic [ADDRESS-1:0] write_addr,
  output      logic [23:0]        write_beats,
  output      logic [15:0]        write_base,
  output      logic [7:0]         write_slices,
  input  wire logic               write_done,
  input  wire logic               write_error,
  input  wire logic               progress      // DRAM does something
);
  import bvit_engine_pkg::*;

  localparam int WATCH_BITS = $clog2(TIMEOUT + 1);
  localparam int COMMAND_BEATS = COMMAND_BITS / PORT;
  localparam int SLICE_BITS = $clog2(PORT / 64);
  localparam int PLACE_BITS = $clog2(COMMAND_BEATS);
  localparam int AHEAD_BITS = $clog2(AHEAD + 1);
  localparam int LOADS_BITS = 4;

  typedef enum logic [2:0] {IDLE, FETCH, DECODE, READY, ISSUE, STORE, LAST, STUCK} state_t;
  state_t state_q;
  logic [COMMAND_BITS-1:0] command_q;
  logic [ADDRESS-1:0] fetch_q, address_q;
  logic [23:0] beats_q;
  logic [WATCH_BITS-1:0] watch_q;
  logic [7:0] kind;
  logic waiting, late, from_input, on_core, is_illegal, core_busy_q, core_moves, may_issue;
  logic [7:0] slices;   // beats of a word
  assign slices = command_q[AT_SLICES+:8] >> SLICE_BITS;
  assign kind = command_q[AT_KIND+:8];
  assign from_input = command_q[AT_SPACE+:8] == 8'(SPACE_INPUT);
  assign on_core = kind == 8'(KIND_COMPUTE) || kind == 8'(KIND_ATTEND) || kind == 8'(KIND_KEYS)
                || kind == 8'(KIND_VALUES);
  assign is_illegal = !on_core && kind != 8'(KIND_LOAD) && kind != 8'(KIND_STORE) && kind != 8'(KIND_END);
  assign waiting = read_busy || state_q == STORE;
  assign busy = state_q != IDLE;

  // LOADs on their way. One has ended a cycle behind its last beat: that is written by then, and counted.
  logic [LOADS_BITS-1:0] loads_q;
  logic loading, load_beat, load_asked, load_ended_q, load_bad_q, load_stop_q;
  assign load_beat = read_valid && read_of[TAG-1];
  assign loading = loads_q != '0;

  // Whether it may begin beside what the core does
  logic [2:0] memory;
  logic load_issues, now, on_core_q, moves_q, is_load_q, beside_q, settles_q, some_q, single_q, to_values_q, ends_q;
  logic illegal_q, idle_q, offers_q, fetches_q;
  logic [23:0] less_q;
  assign memory = command_q[AT_MEMORY+:3];
  always_ff @(posedge clk) begin
    // What DECODE finds is there in READY; what follows from the beats in ISSUE, in which `offers_q` is up.
    // `fetches_q` is up in FETCH.
    on_core_q <= on_core;
    illegal_q <= is_illegal;
    ends_q <= is_illegal || kind == 8'(KIND_END);
    to_values_q <= memory == 3'(MEMORY_VALUES);
    beside_q <= kind == 8'(KIND_LOAD) && !command_q[AT_WAIT];
    idle_q <= core_idle;
    late <= !rst && waiting && watch_q == WATCH_BITS'(TIMEOUT);
    moves_q <= kind == 8'(KIND_KEYS) || kind == 8'(KIND_VALUES);
    is_load_q <= kind == 8'(KIND_LOAD) && command_q[AT_WORDS+:16] != '0 && slices != '0;
    settles_q <= kind == 8'(KIND_STORE) || (kind == 8'(KIND_LOAD)
                 && (memory == 3'(MEMORY_BITS) || (memory == 3'(MEMORY_VALUES) && command_q[AT_WAIT])));
    some_q <= command_q[AT_WORDS+:16] != '0 && slices != '0;
    single_q <= command_q[AT_WORDS+:16] == 16'd1 && slices == 8'd1;
    less_q <= beats_q - 24'd2;
    if (offers_q && on_core_q && now) core_moves <= moves_q;
    // Of the next cycle: what is issued changes nothing of it before ISSUE is left.
    may_issue <= (core_busy_q && !core_done) ? beside_q && !settles_q && !core_moves : !settles_q || idle_q;
  end
  assign load_issues = offers_q && is_load_q && may_issue && !load_bad_q;
  // What is no LOAD, or moves nothing, begins when all LOADs have ended.
  assign now = may_issue && !loading && !load_bad_q;

  // Commands that were asked for and have not been taken from the FIFO, and whether there are more
  logic [AHEAD_BITS-1:0] ahead_q;
  logic more_q, fetch_asked, word_valid, word_last, word_bad;
  logic [PORT-1:0] word;
  logic [PLACE_BITS-1:0] place_q;
  logic words_ready;
  assign fetch_asked = read_ask && read_ready && !load_issues;
  assign load_asked = load_issues && read_ready;
  assign read_ask = load_issues || (more_q && ahead_q != AHEAD_BITS'(AHEAD));
  assign read_addr = load_issues ? address_q : fetch_q;
  assign read_beats = load_issues ? beats_q : 24'(COMMAND_BEATS);
  assign read_less = load_issues ? less_q : 24'(COMMAND_BEATS - 2);
  assign read_single = load_issues && single_q;
  assign read_held = load_issues && to_values_q;
  assign read_tag = {load_issues, memory, command_q[AT_WEIGHTS+:16], slices};
  bvit_fifo #(
    .W(PORT + 1),
    .DEPTH(AHEAD * COMMAND_BEATS)
  ) u_words (
    .clk,
    .rst(rst || state_q == IDLE),
    .s_axis_tdata({read_error, read_data}),
    .s_axis_tvalid(read_valid && !read_of[TAG-1]),
    .s_axis_tready(words_ready),
    .m_axis_tdata({word_bad, word}),
    .m_axis_tvalid(word_valid),
    .m_axis_tready(fetches_q)
  );
  assign word_last = fetches_q && word_valid && place_q == PLACE_BITS'(COMMAND_BEATS - 1);

  assign is_core = core_busy_q;
  assign is_store = state_q == STORE && !core_busy_q;
  assign is_load = loading && state_q != STORE && !core_busy_q;
  assign is_fetch = state_q == FETCH && !loading && !core_busy_q;

  logic bad_q;   // a beat of the command came with an error
  always_ff @(posedge clk) begin
    if (rst) begin
      state_q <= IDLE;
      write_start <= 1'b0;
      core_start <= 1'b0;
      done <= 1'b0;
      flags <= '0;
      command_done <= 1'b0;
      core_busy_q <= 1'b0;
      more_q <= 1'b0;
      ahead_q <= '0;
      loads_q <= '0;
      load_ended_q <= 1'b0;
      load_bad_q <= 1'b0;
      load_stop_q <= 1'b0;
      offers_q <= 1'b0;
      fetches_q <= 1'b0;
    end else begin
      write_start <= 1'b0;
      core_start <= 1'b0;
      done <= 1'b0;
      // Of LOADs only those up to the first with an error count.
      command_done <= load_ended_q && !load_stop_q;
      if (load_ended_q) load_stop_q <= load_bad_q;
      load_ended_q <= load_beat && read_last;
      loads_q <= loads_q + LOADS_BITS'(load_asked) - LOADS_BITS'(load_ended_q);
      if (load_beat && read_error) begin
        load_bad_q <= 1'b1;
        flags[FLAG_READ_ERROR] <= 1'b1;
      end
      ahead_q <= ahead_q + AHEAD_BITS'(fetch_asked) - AHEAD_BITS'(word_last);
      if (read_valid && !read_of[TAG-1] && read_first && read_data[7:0] == 8'(KIND_END)) more_q <= 1'b0;
      if (core_done) core_busy_q <= 1'b0;
      unique case (state_q)
        IDLE: begin
          ahead_q <= '0;
          load_bad_q <= 1'b0;
          load_stop_q <= 1'b0;
          if (start) begin
            state_q <= FETCH;
            fetches_q <= 1'b1;
            flags <= '0;
            more_q <= 1'b1;
          end
        end
        FETCH: begin
          if (word_last) begin
            state_q <= DECODE;
            fetches_q <= 1'b0;
          end
        end
        DECODE: state_q <= READY;
        READY: begin
          state_q <= ISSUE;
          offers_q <= 1'b1;
          if (bad_q || ends_q) begin
            state_q <= LAST;
            offers_q <= 1'b0;
            if (bad_q) flags[FLAG_READ_ERROR] <= 1'b1;
            flags[FLAG_ILLEGAL] <= illegal_q && !bad_q;
          end
        end
        ISSUE: begin
          if (load_bad_q || (load_issues ? read_ready : now)) offers_q <= 1'b0;
          if (load_bad_q) begin
            state_q <= LAST;
          end else if (load_issues) begin
            if (read_ready) begin
              state_q <= FETCH;
              fetches_q <= 1'b1;
            end
          end else if (now) begin
            state_q <= FETCH;
            fetches_q <= 1'b1;
            if (on_core_q) begin
              core_start <= 1'b1;
              core_busy_q <= 1'b1;
              command_done <= 1'b1;
            end else if (!some_q) begin
              command_done <= 1'b1;
            end else begin
              state_q <= STORE;
              fetches_q <= 1'b0;
              write_start <= 1'b1;
            end
          end
        end
        STORE: begin
          if (write_done) begin
            command_done <= 1'b1;
            state_q <= write_error ? LAST : FETCH;
            fetches_q <= !write_error;
            flags[FLAG_WRITE_ERROR] <= write_error;
          end
        end
        LAST: begin
          more_q <= 1'b0;
          if (!core_busy_q && !loading && !read_busy && !more_q) begin
            state_q <= IDLE;
            done <= 1'b1;
          end
        end
        default: state_q <= STUCK;
      endcase
      if (late) begin
        state_q <= STUCK;
        offers_q <= 1'b0;
        fetches_q <= 1'b0;
        done <= 1'b1;
        flags[FLAG_TIMEOUT] <= 1'b1;
      end
    end
    if (rst || progress || !waiting) watch_q <= '0;
    else watch_q <= watch_q + 1'b1;

    // Where the next command lies, and where its data do
    if (state_q == IDLE) fetch_q <= programme;
    else if (fetch_asked) fetch_q <= fetch_q + ADDRESS'(COMMAND_BITS / 8);
    if (fetches_q && word_valid) begin
      command_q <= {word, command_q[COMMAND_BITS-1:PORT]};
      bad_q <= word_bad || (bad_q && place_q != '0);
    end
    if (state_q == IDLE) place_q <= '0;
    else if (fetches_q && word_valid) place_q <= place_q + 1'b1;
    address_q <= (kind == 8'(KIND_STORE) ? output_base : from_input ? input_base : programme)
               + ADDRESS'(command_q[AT_ADDRESS+:32]);
    beats_q <= 24'(command_q[AT_WORDS+:16]) * 24'(slices);
    if (offers_q && on_core_q && now) core_command <= command_q;
    write_base <= command_q[AT_OPERAND0+:16];
    write_slices <= slices;
    write_addr <= address_q;
    write_beats <= beats_q;

    // Beats of a LOAD: column by column, word by word
    load_we <= !rst && load_beat;
    load_data <= read_data;
    if (load_beat) begin
      load_memory <= read_of[26:24];
      if (read_first) begin
        load_addr <= read_of[23:8];
        load_slice <= '0;
      end else if (load_slice == read_of[7:0] - 8'd1) begin
        load_addr <= load_addr + 16'd1;
        load_slice <= '0;
      end else begin
        load_slice <= load_slice + 8'd1;
      end
    end
  end
  logic unused;
  assign unused = words_ready;
endmodule

`default_nettype wire
