// Goes through a programme: fetches each command from DRAM, carries LOAD and STORE out on the masters, leaves others to
// the core, until END.
//
// While the core carries a command out, the next ones are fetched, and LOADs that do not have to wait are carried out:
// those that say so wait, those to the memories of bits and values, and all while the core writes weights itself. So
// behind the core's command there are LOADs at most, and the next one for the core.
//
// `start` begins a frame, with the three addresses, which are multiples of eight; `done` is a pulse. What ends a frame
// early is in `flags` until the next start: an error of DRAM (all beats that were asked for are awaited), a kind that
// is none, or TIMEOUT cycles in which DRAM did nothing. After that the engine waits for a reset.
`default_nettype none

module bvit_engine_control #(
  parameter int ADDRESS = 32,
  parameter int TIMEOUT = 1 << 20
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
  output      logic               load_we,
  output      logic [2:0]         load_memory,
  output      logic [15:0]        load_addr,
  output      logic [7:0]         load_slice,
  output      logic [63:0]        load_data,
  // masters
  output      logic               read_start,
  output      logic [ADDRESS-1:0] read_addr,
  output      logic [23:0]        read_beats,
  input  wire logic               read_valid,
  input  wire logic [63:0]        read_data,
  input  wire logic               read_done,
  input  wire logic               read_error,
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
  localparam int COMMAND_BEATS = COMMAND_BITS / 64;

  typedef enum logic [3:0] {IDLE, FETCH, DECODE, ISSUE, LOAD, STORE, NEXT, LAST, STUCK} state_t;
  state_t state_q;
  logic [COMMAND_BITS-1:0] command_q;
  logic [ADDRESS-1:0] next_q, address_q;
  logic [23:0] beats_q;
  logic [WATCH_BITS-1:0] watch_q;
  logic [7:0] kind;
  logic waiting, late, from_input, on_core, is_illegal, core_busy_q, core_moves, may_issue;
  assign kind = command_q[AT_KIND+:8];
  assign from_input = command_q[AT_SPACE+:8] == 8'(SPACE_INPUT);
  assign on_core = kind == 8'(KIND_COMPUTE) || kind == 8'(KIND_ATTEND) || kind == 8'(KIND_KEYS)
                || kind == 8'(KIND_VALUES);
  assign is_illegal = !on_core && kind != 8'(KIND_LOAD) && kind != 8'(KIND_STORE) && kind != 8'(KIND_END);
  assign waiting = state_q == FETCH || state_q == LOAD || state_q == STORE;
  assign late = waiting && watch_q == WATCH_BITS'(TIMEOUT);
  assign is_core = core_busy_q;
  assign is_fetch = state_q == FETCH && !core_busy_q;
  assign is_load = state_q == LOAD && !core_busy_q;
  assign is_store = state_q == STORE && !core_busy_q;

  // Whether it may begin beside what the core does
  logic [2:0] memory;
  assign memory = command_q[AT_MEMORY+:3];
  assign core_moves = core_command[AT_KIND+:8] == 8'(KIND_KEYS) || core_command[AT_KIND+:8] == 8'(KIND_VALUES);
  assign may_issue = !core_busy_q || (kind == 8'(KIND_LOAD) && !command_q[AT_WAIT] && !core_moves
      && memory != 3'(MEMORY_BITS) && memory != 3'(MEMORY_VALUES));
  assign busy = state_q != IDLE;

  always_ff @(posedge clk) begin
    if (rst) begin
      state_q <= IDLE;
      read_start <= 1'b0;
      write_start <= 1'b0;
      core_start <= 1'b0;
      done <= 1'b0;
      flags <= '0;
      command_done <= 1'b0;
      core_busy_q <= 1'b0;
    end else begin
      read_start <= 1'b0;
      write_start <= 1'b0;
      core_start <= 1'b0;
      done <= 1'b0;
      command_done <= 1'b0;
      if (core_done) core_busy_q <= 1'b0;
      unique case (state_q)
        IDLE: begin
          if (start) begin
            state_q <= FETCH;
            flags <= '0;
            read_start <= 1'b1;
          end
        end
        FETCH: begin
          if (read_done) state_q <= DECODE;
        end
        DECODE: begin
          state_q <= ISSUE;
          if (read_error || is_illegal || kind == 8'(KIND_END)) begin
            state_q <= LAST;
            flags[FLAG_READ_ERROR] <= read_error;
            flags[FLAG_ILLEGAL] <= is_illegal && !read_error;
          end
        end
        ISSUE: begin
          if (!may_issue) begin
            state_q <= ISSUE;
          end else if (on_core) begin
            state_q <= NEXT;
            core_start <= 1'b1;
            core_busy_q <= 1'b1;
          end else if (beats_q == '0) begin
            state_q <= NEXT;
          end else begin
            state_q <= (kind == 8'(KIND_LOAD)) ? LOAD : STORE;
            read_start <= kind == 8'(KIND_LOAD);
            write_start <= kind == 8'(KIND_STORE);
          end
        end
        LOAD: begin
          if (read_done) state_q <= NEXT;
        end
        STORE: begin
          if (write_done) state_q <= NEXT;
        end
        NEXT: begin
          command_done <= 1'b1;
          state_q <= FETCH;
          read_start <= 1'b1;
          if ((kind == 8'(KIND_LOAD) && read_error) || (kind == 8'(KIND_STORE) && write_error)) begin
            state_q <= LAST;
            read_start <= 1'b0;
            flags[FLAG_READ_ERROR] <= kind == 8'(KIND_LOAD);
            flags[FLAG_WRITE_ERROR] <= kind == 8'(KIND_STORE);
          end
        end
        LAST: begin
          if (!core_busy_q) begin
            state_q <= IDLE;
            done <= 1'b1;
          end
        end
        default: state_q <= STUCK;
      endcase
      if (late) begin
        state_q <= STUCK;
        done <= 1'b1;
        flags[FLAG_TIMEOUT] <= 1'b1;
      end
    end
    if (rst || progress || !waiting) watch_q <= '0;
    else watch_q <= watch_q + 1'b1;

    // Where the next command lies, and where its data do
    if (state_q == IDLE) next_q <= programme;
    else if (state_q == FETCH && read_done) next_q <= next_q + ADDRESS'(COMMAND_BITS / 8);
    if (state_q == FETCH && read_valid) command_q <= {read_data, command_q[COMMAND_BITS-1:64]};
    address_q <= (kind == 8'(KIND_STORE) ? output_base : from_input ? input_base : programme)
               + ADDRESS'(command_q[AT_ADDRESS+:32]);
    beats_q <= 24'(command_q[AT_WORDS+:16]) * 24'(command_q[AT_SLICES+:8]);
    if (state_q == IDLE) begin
      read_addr <= programme;
      read_beats <= 24'(COMMAND_BEATS);
    end else if (state_q == ISSUE) begin
      read_addr <= address_q;
      read_beats <= beats_q;
    end else if (state_q == NEXT) begin
      read_addr <= next_q;
      read_beats <= 24'(COMMAND_BEATS);
    end
    if (state_q == ISSUE && on_core && may_issue) core_command <= command_q;
    write_base <= command_q[AT_OPERAND0+:16];
    write_slices <= command_q[AT_SLICES+:8];
    write_addr <= address_q;
    write_beats <= beats_q;

    // Beats of a LOAD: column by column, word by word
    load_we <= !rst && state_q == LOAD && read_valid;
    load_data <= read_data;
    load_memory <= memory;
    if (state_q == ISSUE) begin
      load_addr <= command_q[AT_WEIGHTS+:16];
      load_slice <= '0;
    end else if (load_we) begin
      load_slice <= (load_slice == command_q[AT_SLICES+:8] - 8'd1) ? '0 : load_slice + 8'd1;
      if (load_slice == command_q[AT_SLICES+:8] - 8'd1) load_addr <= load_addr + 16'd1;
    end
  end
endmodule

`default_nettype wire
