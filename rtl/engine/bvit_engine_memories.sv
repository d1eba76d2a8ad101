// The engine's memories, with what stands at their ports: who reads, and in registers what is written.
//
// A unit writes octets of bits, bytes of values (`vector_we`: of each token), or rows of weights; else a beat from DRAM
// is: the columns from `load_slice` beats on of word `load_addr`. A word is there two cycles behind its address.
// `store_data` is beat `store_slice` of word `store_addr` of values, three cycles behind both, while no unit reads any.
`default_nettype none

module bvit_engine_memories #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  parameter int BITS = 1024,      // words of the memories
  parameter int VALUES = 4096,
  parameter int WEIGHTS = 1024,
  parameter int PARAMS = 512,
  parameter int STEPS = 1024,
  parameter int TAPS = 1024,
  parameter int PORT = 64,        // bits of a beat
  parameter int ULTRA = 0,        // 1: values lie in UltraRAM
  localparam int COLUMNS = bvit_engine_pkg::COLUMNS
) (
  input  wire logic        clk,
  input  wire logic        rst,
  // from DRAM, and to it
  input  wire logic        load_we,
  input  wire logic [2:0]  load_memory,
  input  wire logic [15:0] load_addr,
  input  wire logic [7:0]  load_slice,
  input  wire logic [PORT-1:0] load_data,
  input  wire logic [15:0] store_addr,
  input  wire logic [7:0]  store_slice,
  output      logic [PORT-1:0] store_data,
  // bits
  input  wire logic        octets_we,
  input  wire logic [15:0] octet_addr,
  input  wire logic [TOKENS-1:0][CHANNELS-1:0] octets,
  input  wire logic [15:0] bits_raddr,
  output      logic [TOKENS-1:0][COLUMNS-1:0] bits,
  // values
  input  wire logic        vector_reads,
  input  wire logic [15:0] vector_raddr,
  input  wire logic [CHANNELS-1:0] vector_we,
  input  wire logic [15:0] vector_waddr,
  input  wire logic [TOKENS-1:0][CHANNELS-1:0][7:0] vector_wdata,
  output      logic [TOKENS-1:0][CHANNELS-1:0][7:0] values,
  // weights; `moves`: the mover writes them
  input  wire logic        moves,
  input  wire logic [ROWS-1:0] mover_we,
  input  wire logic [15:0] mover_waddr,
  input  wire logic [ROWS-1:0][COLUMNS-1:0] mover_wdata,
  input  wire logic [15:0] weights_raddr,
  output      logic [ROWS-1:0][COLUMNS-1:0] weights,
  // four copies of the parameters; steps and taps
  input  wire logic [3:0][15:0] param_raddr,
  output      logic [3:0][CHANNELS-1:0][31:0] params,
  input  wire logic [15:0] step_raddr,
  output      logic [63:0] step,
  input  wire logic [15:0] tap_raddr,
  output      logic [63:0] tap
);
  import bvit_engine_pkg::OCTET, bvit_engine_pkg::OCTETS;
  import bvit_engine_pkg::MEMORY_BITS, bvit_engine_pkg::MEMORY_VALUES, bvit_engine_pkg::MEMORY_WEIGHTS;
  import bvit_engine_pkg::MEMORY_PARAMS, bvit_engine_pkg::MEMORY_STEPS, bvit_engine_pkg::MEMORY_TAPS;

  localparam int LANE_BEATS = CHANNELS / OCTET;      // slices of a token in a word of values
  localparam int SLICES = PORT / 64;                 // of 64 bits in a beat
  localparam int VALUE_BEATS = (TOKENS * LANE_BEATS + SLICES - 1) / SLICES;

  // What is written
  logic [TOKENS-1:0][OCTETS-1:0] bits_we;
  logic [15:0] bits_waddr, values_waddr, weights_waddr;
  logic [TOKENS-1:0][COLUMNS-1:0] bits_wdata;
  logic [TOKENS-1:0][CHANNELS-1:0] values_we;
  logic [TOKENS-1:0][CHANNELS-1:0][7:0] values_wdata;
  logic [ROWS-1:0] weights_we;
  logic [ROWS-1:0][COLUMNS-1:0] weights_wdata;
  logic vector_writes;
  assign vector_writes = |vector_we;
  always_ff @(posedge clk) begin
    bits_waddr <= octets_we ? octet_addr >> 3 : load_addr;
    values_waddr <= vector_writes ? vector_waddr : load_addr;
    for (int token = 0; token < TOKENS; token++) begin
      for (int octet = 0; octet < OCTETS; octet++) begin
        bits_we[token][octet] <= !rst && (octets_we
            ? octet / LANE_BEATS == 32'(octet_addr[2:0]) / LANE_BEATS
            : load_we && load_memory == 3'(MEMORY_BITS) && load_slice == 8'(token / SLICES));
        bits_wdata[token][octet*8+:8] <=
            octets_we ? octets[token][octet%LANE_BEATS*8+:8] : load_data[token%SLICES*64+octet*8+:8];
      end
      for (int channel = 0; channel < CHANNELS; channel++) begin
        values_we[token][channel] <= !rst && (vector_writes ? vector_we[channel]
            : load_we && load_memory == 3'(MEMORY_VALUES)
              && load_slice == 8'((token * LANE_BEATS + channel / OCTET) / SLICES));
        values_wdata[token][channel] <= vector_writes ? vector_wdata[token][channel]
            : load_data[(token*LANE_BEATS+channel/OCTET)%SLICES*64+channel%OCTET*8+:8];
      end
    end
    weights_waddr <= moves ? mover_waddr : load_addr;
    for (int row = 0; row < ROWS; row++) begin
      weights_we[row] <= !rst && (moves ? mover_we[row]
          : load_we && load_memory == 3'(MEMORY_WEIGHTS) && load_slice == 8'(row / SLICES));
      weights_wdata[row] <= moves ? mover_wdata[row] : load_data[row%SLICES*64+:64];
    end
  end

  // The memories
  bvit_engine_ram #(
    .DEPTH(BITS),
    .COLUMN(OCTET),
    .COLUMNS(TOKENS * OCTETS)
  ) u_bits (
    .clk,
    .we(bits_we),
    .waddr(bits_waddr),
    .wdata(bits_wdata),
    .raddr(bits_raddr),
    .rdata(bits)
  );

  logic [15:0] values_raddr;
  assign values_raddr = vector_reads ? vector_raddr : store_addr;
  bvit_engine_ram #(
    .DEPTH(VALUES),
    .COLUMN(8),
    .COLUMNS(TOKENS * CHANNELS),
    .ULTRA(ULTRA)
  ) u_values (
    .clk,
    .we(values_we),
    .waddr(values_waddr),
    .wdata(values_wdata),
    .raddr(values_raddr),
    .rdata(values)
  );
  logic [2:0][7:0] store_beat;
  bvit_engine_stages #(
    .WIDTH(8),
    .STEPS(2)
  ) u_store_beat (
    .clk,
    .rst,
    .d(store_slice),
    .q(store_beat)
  );
  logic [VALUE_BEATS-1:0][PORT-1:0] value_beats;
  assign value_beats = (VALUE_BEATS*PORT)'(values);
  always_ff @(posedge clk) begin
    store_data <= '0;
    for (int beat = 0; beat < VALUE_BEATS; beat++) begin
      if (store_beat[2] == 8'(beat)) store_data <= value_beats[beat];
    end
  end

  bvit_engine_ram #(
    .DEPTH(WEIGHTS),
    .COLUMN(COLUMNS),
    .COLUMNS(ROWS)
  ) u_weights (
    .clk,
    .we(weights_we),
    .waddr(weights_waddr),
    .wdata(weights_wdata),
    .raddr(weights_raddr),
    .rdata(weights)
  );

  logic [CHANNELS/2-1:0] params_we;
  for (genvar slice = 0; slice < CHANNELS / 2; slice++) begin : gen_params_we
    assign params_we[slice] = load_we && load_memory == 3'(MEMORY_PARAMS) && load_slice == 8'(slice / SLICES);
  end
  for (genvar copy = 0; copy < 4; copy++) begin : gen_params
    bvit_engine_ram #(
      .DEPTH(PARAMS),
      .COLUMN(64),
      .COLUMNS(CHANNELS / 2)
    ) u_params (
      .clk,
      .we(params_we),
      .waddr(load_addr),
      .wdata({(CHANNELS/2/SLICES){load_data}}),
      .raddr(param_raddr[copy]),
      .rdata(params[copy])
    );
  end

  bvit_engine_ram #(
    .DEPTH(STEPS),
    .COLUMN(64),
    .COLUMNS(1)
  ) u_steps (
    .clk,
    .we(load_we && load_memory == 3'(MEMORY_STEPS)),
    .waddr(load_addr),
    .wdata(load_data[63:0]),
    .raddr(step_raddr),
    .rdata(step)
  );
  bvit_engine_ram #(
    .DEPTH(TAPS),
    .COLUMN(64),
    .COLUMNS(1)
  ) u_taps (
    .clk,
    .we(load_we && load_memory == 3'(MEMORY_TAPS)),
    .waddr(load_addr),
    .wdata(load_data[63:0]),
    .raddr(tap_raddr),
    .rdata(tap)
  );
  logic unused;
  assign unused = ^store_beat;
endmodule

`default_nettype wire
