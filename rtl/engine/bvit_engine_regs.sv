// The engine's registers on AXI4-Lite: identity, control, status, flags, addresses in DRAM, counters.
//
// One transfer each way at a time, two cycles; reading where there is no register gives 0, writing there does nothing,
// both OKAY. A start while a frame is under way does nothing. A soft reset holds `engine_rst` for RESET_CYCLES.
`default_nettype none

module bvit_engine_regs #(
  parameter bit [255:0] IDENTITY = 256'd0,  // as its hexadecimal digits read
  parameter int ADDRESS = 32,
  parameter int ADDR_W = 12,
  parameter int RESET_CYCLES = 16
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
  output      logic               engine_rst,
  output      logic               start,
  output      logic [ADDRESS-1:0] programme,
  output      logic [ADDRESS-1:0] input_base,
  output      logic [ADDRESS-1:0] output_base,
  input  wire logic               busy,
  input  wire logic               done,
  input  wire logic [3:0]         flags,
  input  wire logic               is_core,
  input  wire logic               is_fetch,
  input  wire logic               is_load,
  input  wire logic               is_store,
  input  wire logic               command_done,
  output      logic               interrupt      // the frame that was started has ended; until the next start
);
  import bvit_engine_pkg::*;

  localparam int RESET_BITS = $clog2(RESET_CYCLES + 1);
  if (ADDRESS < 12 || ADDRESS > 64) begin : gen_bad_address
    $error("bvit_engine_regs: ADDRESS=%0d must be in 12..64", ADDRESS);
  end

  // Writes: address and data are taken together.
  logic write_q, control;
  logic [31:0] at;
  logic [RESET_BITS-1:0] reset_left_q;
  assign s_axi_awready = write_q;
  assign s_axi_wready = write_q;
  assign s_axi_bresp = 2'b00;
  assign at = 32'({s_axi_awaddr[ADDR_W-1:2], 2'b00});
  assign control = write_q && at == 32'(REGISTER_CONTROL) && s_axi_wstrb[0];
  logic [2:0][63:0] bases_q;
  assign {output_base, input_base, programme} =
      {bases_q[2][ADDRESS-1:0], bases_q[1][ADDRESS-1:0], bases_q[0][ADDRESS-1:0]};
  always_ff @(posedge clk) begin
    if (rst) begin
      write_q <= 1'b0;
      s_axi_bvalid <= 1'b0;
      start <= 1'b0;
      reset_left_q <= '0;
      engine_rst <= 1'b1;
    end else begin
      write_q <= s_axi_awvalid && s_axi_wvalid && !write_q && !s_axi_bvalid;
      if (write_q) s_axi_bvalid <= 1'b1;
      else if (s_axi_bready) s_axi_bvalid <= 1'b0;
      start <= control && s_axi_wdata[CONTROL_START] && !s_axi_wdata[CONTROL_SOFT_RESET] && !busy && !start
            && !engine_rst;
      if (control && s_axi_wdata[CONTROL_SOFT_RESET]) reset_left_q <= RESET_BITS'(RESET_CYCLES);
      else if (reset_left_q != '0) reset_left_q <= reset_left_q - 1'b1;
      engine_rst <= reset_left_q != '0;
    end
    for (int base = 0; base < 3; base++) begin
      for (int octet = 0; octet < 4; octet++) begin
        if (write_q && s_axi_wstrb[octet]) begin
          if (at == 32'(REGISTER_PROGRAMME + 8 * base)) bases_q[base][8*octet+:8] <= s_axi_wdata[8*octet+:8];
          if (at == 32'(REGISTER_PROGRAMME + 8 * base + 4)) bases_q[base][32+8*octet+:8] <= s_axi_wdata[8*octet+:8];
        end
      end
    end
  end

  logic read_q;
  logic [31:0] data, from;

  // A frame is under way or has ended, or both, where DRAM did not answer: whoever reads always finds one of them.
  logic done_q, is_busy, is_done;
  assign is_busy = busy || start;
  assign is_done = (done || done_q) && !start;

  // Counters of the last frame, or of the one under way
  logic [31:0] frames_q, cycles_q, core_q, fetch_q, load_q, store_q, commands_q;
  assign interrupt = done_q;
  always_ff @(posedge clk) begin
    if (engine_rst) begin
      done_q <= 1'b0;
      frames_q <= '0;
    end else begin
      if (start) done_q <= 1'b0;
      else if (done) done_q <= 1'b1;
      frames_q <= frames_q + 32'(done && flags == '0);
    end
    if (engine_rst || start) begin
      cycles_q <= '0;
      core_q <= '0;
      fetch_q <= '0;
      load_q <= '0;
      store_q <= '0;
      commands_q <= '0;
    end else begin
      cycles_q <= cycles_q + 32'(busy);
      core_q <= core_q + 32'(is_core);
      fetch_q <= fetch_q + 32'(is_fetch);
      load_q <= load_q + 32'(is_load);
      store_q <= store_q + 32'(is_store);
      commands_q <= commands_q + 32'(command_done);
    end
  end

  // Cycles since the reset by the pin; reading the low word keeps the high one for the next read.
  logic [63:0] clock_q;
  logic [31:0] clock_high_q;
  always_ff @(posedge clk) begin
    if (rst) clock_q <= '0;
    else clock_q <= clock_q + 64'd1;
    if (read_q && from == 32'(REGISTER_CLOCK)) clock_high_q <= clock_q[63:32];
  end

  // Reads
  assign s_axi_arready = read_q;
  assign s_axi_rresp = 2'b00;
  assign from = 32'({s_axi_araddr[ADDR_W-1:2], 2'b00});
  always_ff @(posedge clk) begin
    if (rst) begin
      read_q <= 1'b0;
      s_axi_rvalid <= 1'b0;
    end else begin
      read_q <= s_axi_arvalid && !read_q && !s_axi_rvalid;
      if (read_q) s_axi_rvalid <= 1'b1;
      else if (s_axi_rready) s_axi_rvalid <= 1'b0;
    end
    if (read_q) s_axi_rdata <= data;
  end
  always_comb begin
    data = '0;
    unique case (from)
      32'(REGISTER_MAGIC): data = 32'(MAGIC);
      32'(REGISTER_VERSION): data = 32'(VERSION);
      32'(REGISTER_STATUS): begin
        data[STATUS_BUSY] = is_busy;
        data[STATUS_DONE] = is_done;
      end
      32'(REGISTER_FLAGS): data = 32'(flags);
      32'(REGISTER_FRAMES): data = frames_q;
      32'(REGISTER_CYCLES): data = cycles_q;
      32'(REGISTER_CORE_CYCLES): data = core_q;
      32'(REGISTER_FETCH_CYCLES): data = fetch_q;
      32'(REGISTER_LOAD_CYCLES): data = load_q;
      32'(REGISTER_STORE_CYCLES): data = store_q;
      32'(REGISTER_COMMANDS): data = commands_q;
      32'(REGISTER_CLOCK): data = clock_q[31:0];
      32'(REGISTER_CLOCK_HIGH): data = clock_high_q;
      default: begin
        for (int word = 0; word < 8; word++) begin
          if (from == 32'(REGISTER_IDENTITY + 4 * word)) data = IDENTITY[32*(7-word)+:32];
        end
        for (int base = 0; base < 3; base++) begin
          if (from == 32'(REGISTER_PROGRAMME + 8 * base)) data = bases_q[base][31:0];
          if (from == 32'(REGISTER_PROGRAMME + 8 * base + 4)) data = bases_q[base][63:32];
        end
      end
    endcase
  end

`ifndef SYNTHESIS
  logic begun_q;
  always_ff @(posedge clk) begin
    if (engine_rst) begun_q <= 1'b0;
    else if (start) begun_q <= 1'b1;
    if (!engine_rst && begun_q) begin
      assert (is_busy || is_done) else $error("bvit_engine_regs: a frame is neither under way nor done");
    end
  end
`endif

  logic unused;
  assign unused = ^{s_axi_awprot, s_axi_arprot, s_axi_awaddr[1:0], s_axi_araddr[1:0], bases_q};
endmodule

`default_nettype wire
