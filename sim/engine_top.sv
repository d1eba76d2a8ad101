// The whole engine with its DRAM; memories of tensors are written behind the commands that dumps.hex marks. See
// engine_frames.py.
module engine_top #(
  parameter int TOKENS = 7,
  parameter int ROWS = 32,
  parameter int CHANNELS = 8,
  parameter int BITS = 1024,
  parameter int VALUES = 4096,
  parameter int WEIGHTS = 1024,
  parameter int PARAMS = 512,
  parameter int STEPS = 1024,
  parameter int TAPS = 1024,
  parameter int PORT = 64,
  parameter int ULTRA = 0,
  parameter int WORDS = 1024,
  parameter int LATENCY_MIN = 5,
  parameter int LATENCY_MAX = 20,
  parameter int STALL = 4,
  parameter int TIMEOUT = 1000
) (
  input wire logic clk /*verilator public_flat_rw*/,
  input wire logic rst /*verilator public_flat_rw*/,
  input wire logic dump /*verilator public_flat_rw*/,
  input wire logic mute /*verilator public_flat_rw*/,
  input wire logic [31:0] error_addr /*verilator public_flat_rw*/,
  input wire logic [11:0] s_axi_awaddr /*verilator public_flat_rw*/,
  input wire logic s_axi_awvalid /*verilator public_flat_rw*/,
  output logic s_axi_awready /*verilator public_flat_rw*/,
  input wire logic [31:0] s_axi_wdata /*verilator public_flat_rw*/,
  input wire logic [3:0] s_axi_wstrb /*verilator public_flat_rw*/,
  input wire logic s_axi_wvalid /*verilator public_flat_rw*/,
  output logic s_axi_wready /*verilator public_flat_rw*/,
  output logic s_axi_bvalid /*verilator public_flat_rw*/,
  input wire logic s_axi_bready /*verilator public_flat_rw*/,
  input wire logic [11:0] s_axi_araddr /*verilator public_flat_rw*/,
  input wire logic s_axi_arvalid /*verilator public_flat_rw*/,
  output logic s_axi_arready /*verilator public_flat_rw*/,
  output logic [31:0] s_axi_rdata /*verilator public_flat_rw*/,
  output logic s_axi_rvalid /*verilator public_flat_rw*/,
  input wire logic s_axi_rready /*verilator public_flat_rw*/,
  output logic interrupt /*verilator public_flat_rw*/
);
  localparam int BASE = 32'h1000_0000;
  logic [31:0] araddr, awaddr;
  logic [7:0] arlen, awlen;
  logic [PORT/8-1:0] wstrb;
  logic [2:0] arsize, awsize;
  logic [1:0] arburst, awburst, rresp, bresp, s_axi_bresp, s_axi_rresp;
  logic arvalid, arready, rlast, rvalid, rready, awvalid, awready, wlast, wvalid, wready, bvalid, bready;
  logic [PORT-1:0] rdata, wdata;
  logic dumps[1 << 16];
  int number = 0;
  bvit_engine #(
    .TOKENS(TOKENS), .ROWS(ROWS), .CHANNELS(CHANNELS), .BITS(BITS), .VALUES(VALUES), .WEIGHTS(WEIGHTS),
    .PARAMS(PARAMS), .STEPS(STEPS), .TAPS(TAPS), .PORT(PORT), .ULTRA(ULTRA), .TIMEOUT(TIMEOUT), .OUTSTANDING(8),
    .IDENTITY(256'h0123456789abcdef_1122334455667788_99aabbccddeeff00_fedcba9876543210)
  ) u_engine (
    .clk, .rst,
    .s_axi_awaddr, .s_axi_awprot('0), .s_axi_awvalid, .s_axi_awready, .s_axi_wdata, .s_axi_wstrb, .s_axi_wvalid,
    .s_axi_wready, .s_axi_bresp, .s_axi_bvalid, .s_axi_bready, .s_axi_araddr, .s_axi_arprot('0), .s_axi_arvalid,
    .s_axi_arready, .s_axi_rdata, .s_axi_rresp, .s_axi_rvalid, .s_axi_rready,
    .m_axi_araddr(araddr), .m_axi_arlen(arlen), .m_axi_arsize(arsize), .m_axi_arburst(arburst),
    .m_axi_arvalid(arvalid), .m_axi_arready(arready), .m_axi_rdata(rdata), .m_axi_rresp(rresp), .m_axi_rlast(rlast),
    .m_axi_rvalid(rvalid), .m_axi_rready(rready), .m_axi_awaddr(awaddr), .m_axi_awlen(awlen), .m_axi_awsize(awsize),
    .m_axi_awburst(awburst), .m_axi_awvalid(awvalid), .m_axi_awready(awready), .m_axi_wdata(wdata),
    .m_axi_wstrb(wstrb), .m_axi_wlast(wlast), .m_axi_wvalid(wvalid), .m_axi_wready(wready), .m_axi_bresp(bresp),
    .m_axi_bvalid(bvalid), .m_axi_bready(bready), .interrupt
  );
  axi_memory #(
    .WORDS(WORDS), .PORT(PORT), .BASE(BASE), .OUTSTANDING(8), .LATENCY_MIN(LATENCY_MIN), .LATENCY_MAX(LATENCY_MAX), .STALL(STALL)
  ) u_dram (
    .clk, .rst, .mute, .error_addr, .araddr, .arlen, .arsize, .arburst, .arvalid, .arready, .rdata, .rresp, .rlast,
    .rvalid, .rready, .awaddr, .awlen, .awsize, .awburst, .awvalid, .awready, .wdata, .wstrb, .wlast, .wvalid, .wready,
    .bresp, .bvalid, .bready
  );
  int core_number = 0, dumped_number;
  initial begin
    $readmemh("dram.hex", u_dram.mem);
    $readmemh("dumps.hex", dumps);
  end
  logic dumped = 1'b0;
  logic [1:0] ended = '0;
  // The units write up to five cycles behind a command's end, and the next command not before the tenth.
  logic [8:0] left = '0;
  int ended_number[2];
  int left_number;
  always @(posedge clk) begin
    if (u_engine.start) number <= 0;
    // A command of the core has ended when the core has; a LOAD's last beat is written two cycles behind its end.
    if (u_engine.command_done && u_engine.busy) number <= number + 1;
    if (u_engine.core_start) core_number <= number;
    ended <= {ended[0], u_engine.command_done && !u_engine.is_core};
    ended_number <= '{number, ended_number[0]};
    left <= {left[7:0], u_engine.core_done};
    if (u_engine.core_done) left_number <= core_number;
    if (ended[1] || left[8]) begin
      dumped_number = left[8] ? left_number : ended_number[1];
      if (dumps[dumped_number]) begin
        $writememh($sformatf("bits_%0d.hex", dumped_number), u_engine.u_core.u_memories.u_bits.mem);
        $writememh($sformatf("values_%0d.hex", dumped_number), u_engine.u_core.u_memories.u_values.mem);
      end
    end
    dumped <= dump;
    if (dump && !dumped) begin
      $writememh("dram_out.hex", u_dram.mem);
    end
  end
endmodule
