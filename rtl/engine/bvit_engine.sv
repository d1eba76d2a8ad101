// The single engine: a programme in DRAM makes a frame's output of its input (docs/engine.md).
//
// Registers on AXI4-Lite start a frame; one AXI4 master of PORT bits fetches commands, loads and stores. An interrupt
// says that a frame has ended.
`default_nettype none

module bvit_engine #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  parameter int BITS = 1024,
  parameter int VALUES = 4096,
  parameter int WEIGHTS = 1024,
  parameter int PARAMS = 512,
  parameter int STEPS = 1024,
  parameter int TAPS = 1024,
  parameter int PORT = 64,           // bits of a beat of DRAM: 64, or 128 where a group has 16 channels at least
  parameter int ULTRA = 0,           // 1: values lie in UltraRAM
  parameter int USE_PRIMITIVES = 0,  // see bvit_binary_mvau
  parameter bit [255:0] IDENTITY = 256'd0,
  parameter int ADDRESS = 32,
  parameter int BURST = 16,          // 16 beats: the ports of a Zynq-7000 are of AXI3
  parameter int OUTSTANDING = 8,     // bursts under way, of reads and of writes
  parameter int TIMEOUT = 1 << 20,   // cycles
  parameter int ADDR_W = 12
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic [ADDR_W-1:0]  s_axi_awaddr,
  input  wire logic [2:0]         s_axi_awprot,
  input  wire logic               s_axi_awvalid,
  output      logic               s_axi_awready,
  input  wire logic [31:0]        s_axi_wdata,
  input  wire logic [3:0]         s_axi_wstrb,
  input  wire logic               s_axi_wvalid,
  output      logic               s_axi_wready,
  output      logic [1:0]         s_axi_bresp,
  output      logic               s_axi_bvalid,
  input  wire logic               s_axi_bready,
  input  wire logic [ADDR_W-1:0]  s_axi_araddr,
  input  wire logic [2:0]         s_axi_arprot,
  input  wire logic               s_axi_arvalid,
  output      logic               s_axi_arready,
  output      logic [31:0]        s_axi_rdata,
  output      logic [1:0]         s_axi_rresp,
  output      logic               s_axi_rvalid,
  input  wire logic               s_axi_rready,
  output      logic [ADDRESS-1:0] m_axi_araddr,
  output      logic [7:0]         m_axi_arlen,
  output      logic [2:0]         m_axi_arsize,
  output      logic [1:0]         m_axi_arburst,
  output      logic               m_axi_arvalid,
  input  wire logic               m_axi_arready,
  input  wire logic [PORT-1:0]    m_axi_rdata,
  input  wire logic [1:0]         m_axi_rresp,
  input  wire logic               m_axi_rlast,
  input  wire logic               m_axi_rvalid,
  output      logic               m_axi_rready,
  output      logic [ADDRESS-1:0] m_axi_awaddr,
  output      logic [7:0]         m_axi_awlen,
  output      logic [2:0]         m_axi_awsize,
  output      logic [1:0]         m_axi_awburst,
  output      logic               m_axi_awvalid,
  input  wire logic               m_axi_awready,
  output      logic [PORT-1:0]    m_axi_wdata,
  output      logic [PORT/8-1:0]  m_axi_wstrb,
  output      logic               m_axi_wlast,
  output      logic               m_axi_wvalid,
  input  wire logic               m_axi_wready,
  input  wire logic [1:0]         m_axi_bresp,
  input  wire logic               m_axi_bvalid,
  output      logic               m_axi_bready,
  output      logic               interrupt
);
  assign m_axi_arsize = 3'($clog2(PORT / 8));
  assign m_axi_arburst = 2'b01;
  assign m_axi_awsize = 3'($clog2(PORT / 8));
  assign m_axi_awburst = 2'b01;
  assign m_axi_wstrb = '1;

  logic engine_rst, start, busy, done, is_core, is_fetch, is_load, is_store, command_done;
  logic [ADDRESS-1:0] programme, input_base, output_base;
  logic [3:0] flags;
  bvit_engine_regs #(
    .IDENTITY(IDENTITY),
    .ADDRESS(ADDRESS),
    .ADDR_W(ADDR_W)
  ) u_regs (
    .clk,
    .rst,
    .s_axi_awaddr,
    .s_axi_awprot,
    .s_axi_awvalid,
    .s_axi_awready,
    .s_axi_wdata,
    .s_axi_wstrb,
    .s_axi_wvalid,
    .s_axi_wready,
    .s_axi_bresp,
    .s_axi_bvalid,
    .s_axi_bready,
    .s_axi_araddr,
    .s_axi_arprot,
    .s_axi_arvalid,
    .s_axi_arready,
    .s_axi_rdata,
    .s_axi_rresp,
    .s_axi_rvalid,
    .s_axi_rready,
    .engine_rst,
    .start,
    .programme,
    .input_base,
    .output_base,
    .busy,
    .done,
    .flags,
    .is_core,
    .is_fetch,
    .is_load,
    .is_store,
    .command_done,
    .interrupt
  );

  logic [bvit_engine_pkg::COMMAND_BITS-1:0] command;
  logic core_start, core_done, core_idle, load_we, progress;
  logic [2:0] load_memory;
  logic [15:0] load_addr, store_addr;
  logic [15:0] write_base;
  logic [7:0] load_slice, store_slice, write_slices;
  logic [PORT-1:0] load_data, store_data, read_data;
  logic read_ask, read_ready, read_valid, read_first, read_last, read_error, read_busy;
  logic write_start, write_done, write_error;
  logic [ADDRESS-1:0] read_addr, write_addr;
  logic [23:0] read_beats, read_less, write_beats;
  logic read_single, read_held, core_writes;
  localparam int TAG = 28;
  logic [TAG-1:0] read_tag, read_of;
  always_ff @(posedge clk) begin
    progress <= m_axi_rvalid || m_axi_bvalid || (m_axi_arvalid && m_axi_arready)
             || (m_axi_awvalid && m_axi_awready) || (m_axi_wvalid && m_axi_wready);
  end
  bvit_engine_control #(
    .ADDRESS(ADDRESS),
    .TIMEOUT(TIMEOUT),
    .PORT(PORT)
  ) u_control (
    .clk,
    .rst(engine_rst),
    .start,
    .programme,
    .input_base,
    .output_base,
    .busy,
    .done,
    .flags,
    .is_core,
    .is_fetch,
    .is_load,
    .is_store,
    .command_done,
    .core_command(command),
    .core_start,
    .core_done,
    .core_idle,
    .load_we,
    .load_memory,
    .load_addr,
    .load_slice,
    .load_data,
    .read_ask,
    .read_ready,
    .read_addr,
    .read_beats,
    .read_less,
    .read_single,
    .read_held,
    .read_tag,
    .read_valid,
    .read_data,
    .read_first,
    .read_last,
    .read_error,
    .read_of,
    .read_busy,
    .write_start,
    .write_addr,
    .write_beats,
    .write_base,
    .write_slices,
    .write_done,
    .write_error,
    .progress
  );
  bvit_engine_read #(
    .ADDRESS(ADDRESS),
    .PORT(PORT),
    .BURST(BURST),
    .OUTSTANDING(OUTSTANDING),
    .TAG(TAG)
  ) u_read (
    .clk,
    .rst(engine_rst),
    .ask(read_ask),
    .ask_ready(read_ready),
    .ask_addr(read_addr),
    .ask_beats(read_beats),
    .ask_less(read_less),
    .ask_single(read_single),
    .ask_held(read_held),
    .ask_tag(read_tag),
    .valid(read_valid),
    .data(read_data),
    .first(read_first),
    .last(read_last),
    .error(read_error),
    .tag(read_of),
    .busy(read_busy),
    .hold(core_writes),
    .m_axi_araddr,
    .m_axi_arlen,
    .m_axi_arvalid,
    .m_axi_arready,
    .m_axi_rdata,
    .m_axi_rresp,
    .m_axi_rlast,
    .m_axi_rvalid,
    .m_axi_rready
  );
  bvit_engine_write #(
    .ADDRESS(ADDRESS),
    .PORT(PORT),
    .BURST(BURST),
    .OUTSTANDING(OUTSTANDING)
  ) u_write (
    .clk,
    .rst(engine_rst),
    .start(write_start),
    .start_addr(write_addr),
    .start_beats(write_beats),
    .base(write_base),
    .slices(write_slices),
    .done(write_done),
    .error(write_error),
    .store_addr,
    .store_slice,
    .store_data,
    .m_axi_awaddr,
    .m_axi_awlen,
    .m_axi_awvalid,
    .m_axi_awready,
    .m_axi_wdata,
    .m_axi_wlast,
    .m_axi_wvalid,
    .m_axi_wready,
    .m_axi_bresp,
    .m_axi_bvalid,
    .m_axi_bready
  );
  bvit_engine_core #(
    .TOKENS(TOKENS),
    .ROWS(ROWS),
    .CHANNELS(CHANNELS),
    .BITS(BITS),
    .VALUES(VALUES),
    .WEIGHTS(WEIGHTS),
    .PARAMS(PARAMS),
    .STEPS(STEPS),
    .TAPS(TAPS),
    .PORT(PORT),
    .ULTRA(ULTRA),
    .USE_PRIMITIVES(USE_PRIMITIVES)
  ) u_core (
    .clk,
    .rst(engine_rst),
    .command,
    .start(core_start),
    .done(core_done),
    .idle(core_idle),
    .writes(core_writes),
    .load_we,
    .load_memory,
    .load_addr,
    .load_slice,
    .load_data,
    .store_addr,
    .store_slice,
    .store_data
  );
endmodule

`default_nettype wire
