// bvit_axi_lite_regs: each transfer is answered once, in time; flags, counters of frames, frames a packet and the
// datapath's reset are what was written and what happened. Cycle counter, interval and latency are left to the bench.
`include "fv.svh"
`default_nettype none

module fv_axi_lite_regs
  import bvit_registers_pkg::*;
#(
  parameter int RESET_CYCLES = 3
) (
  input wire logic        clk,
  input wire logic        rst,
  input wire logic [6:0]  s_axi_awaddr,
  input wire logic        s_axi_awvalid,
  input wire logic [31:0] s_axi_wdata,
  input wire logic [3:0]  s_axi_wstrb,
  input wire logic        s_axi_wvalid,
  input wire logic        s_axi_bready,
  input wire logic [6:0]  s_axi_araddr,
  input wire logic        s_axi_arvalid,
  input wire logic        s_axi_rready,
  input wire logic        frame_start,
  input wire logic        frame_accepted,
  input wire logic        frame_short,
  input wire logic        frame_long,
  input wire logic        packet_short,
  input wire logic        frame_done,
  input wire logic        output_stalled
);
  localparam bit [255:0] HASH = 256'h0123456789ABCDEF_1122334455667788_99AABBCCDDEEFF00_F0E1D2C3B4A59687;
  logic after_reset;
  logic s_axi_awready, s_axi_wready, s_axi_bvalid, s_axi_arready, s_axi_rvalid, datapath_rst;
  logic [1:0] s_axi_bresp, s_axi_rresp;
  logic [31:0] s_axi_rdata;
  logic [15:0] packet_frames;
  bvit_axi_lite_regs #(.ADDR_W(7), .RESET_CYCLES(RESET_CYCLES), .HASH(HASH), .EXPONENT(-5)) dut (
    .s_axi_awprot('0), .s_axi_arprot('0), .*
  );

  fv_reset u_reset (.*);
  fv_source #(.W(7)) u_aw (
    .clk, .rst, .tdata(s_axi_awaddr), .tvalid(s_axi_awvalid), .tready(s_axi_awready)
  );
  fv_source #(.W(36)) u_w (
    .clk, .rst, .tdata({s_axi_wstrb, s_axi_wdata}), .tvalid(s_axi_wvalid), .tready(s_axi_wready)
  );
  fv_source #(.W(7)) u_ar (
    .clk, .rst, .tdata(s_axi_araddr), .tvalid(s_axi_arvalid), .tready(s_axi_arready)
  );
  fv_sink #(.W(2)) u_b (
    .clk, .rst, .after_reset, .tdata(s_axi_bresp), .tvalid(s_axi_bvalid), .tready(s_axi_bready)
  );
  fv_sink #(.W(34)) u_r (
    .clk, .rst, .after_reset, .tdata({s_axi_rresp, s_axi_rdata}), .tvalid(s_axi_rvalid), .tready(s_axi_rready)
  );
  fv_progress #(.WAIT(2)) u_write_taken (
    .clk, .rst, .tvalid(s_axi_awvalid && s_axi_wvalid), .tready(s_axi_awready), .outputs_ready(s_axi_bready)
  );
  fv_progress #(.WAIT(2)) u_read_taken (
    .clk, .rst, .tvalid(s_axi_arvalid), .tready(s_axi_arready), .outputs_ready(s_axi_rready)
  );

  // Reference: what is owed, and what the registers hold.
  logic write, read, owed_b_q, owed_r_q;
  assign write = s_axi_awvalid && s_axi_awready;
  assign read = s_axi_arvalid && s_axi_arready;
  logic [7:0] left_q;
  logic reset_q, clear_q, begun, resetting;
  logic [3:0] flags_q;
  logic [31:0] in_q, out_q, dropped_q;
  logic [15:0] packet_q;
  assign begun = left_q == 8'(RESET_CYCLES);  // in the cycle after the write
  assign resetting = left_q != '0;
  logic to_control, to_packet;
  assign to_control = write && s_axi_wstrb[0] && {s_axi_awaddr[6:2], 2'b00} == 7'(CONTROL);
  assign to_packet = write && {s_axi_awaddr[6:2], 2'b00} == 7'(PACKET_FRAMES);
  always_ff @(posedge clk) begin
    if (rst) begin
      owed_b_q <= 1'b0;
      owed_r_q <= 1'b0;
      left_q <= '0;
    end else begin
      owed_b_q <= write || (owed_b_q && !s_axi_bready);
      owed_r_q <= read || (owed_r_q && !s_axi_rready);
      if (to_control && s_axi_wdata[0]) left_q <= 8'(RESET_CYCLES);
      else if (resetting) left_q <= left_q - 8'd1;
    end
    reset_q <= rst || resetting;
    clear_q <= rst || (to_control && s_axi_wdata[1]) || (clear_q && resetting);
    if (rst || begun) packet_q <= 16'd1;
    else if (to_packet) begin
      if (s_axi_wstrb[1]) packet_q[15:8] <= s_axi_wdata[15:8];
      if (s_axi_wstrb[0]) packet_q[7:0] <= s_axi_wdata[7:0];
    end
    if (clear_q) begin
      flags_q <= '0;
      in_q <= '0;
      out_q <= '0;
      dropped_q <= '0;
    end else begin
      flags_q <= flags_q | {packet_short, output_stalled, frame_long, frame_short};
      in_q <= in_q + 32'(frame_accepted);
      out_q <= out_q + 32'(frame_done);
      dropped_q <= dropped_q + 32'(frame_short || frame_long);
    end
  end

  // What a read in this cycle must give, where it is told.
  logic [31:0] expected, expected_q;
  logic told, told_q;
  logic [6:0] address;
  assign address = {s_axi_araddr[6:2], 2'b00};
  always_comb begin
    told = 1'b1;
    expected = '0;
    if (address == 7'(MAGIC)) expected = 32'h42564954;
    else if (address == 7'(VERSION)) expected = VERSION_VALUE;
    else if (address >= 7'(MODEL_HASH) && address < 7'(MODEL_HASH + 32)) begin
      expected = HASH[255-32*((address-7'(MODEL_HASH))>>2)-:32];
    end else if (address == 7'(IMAGE_SIZE)) expected = 32'h0020_0020;
    else if (address == 7'(IMAGE_DEPTH)) expected = 32'h0003_000A;
    else if (address == 7'(LOGITS_EXPONENT)) expected = -32'sd5;
    else if (address == 7'(CONTROL)) expected = 32'(resetting);
    else if (address == 7'(FLAGS)) expected = 32'(flags_q);
    else if (address == 7'(FRAMES_IN)) expected = in_q;
    else if (address == 7'(FRAMES_OUT)) expected = out_q;
    else if (address == 7'(FRAMES_DROPPED)) expected = dropped_q;
    else if (address == 7'(PACKET_FRAMES)) expected = 32'(packet_q);
    else told = address >= 7'(END);
  end
  always_ff @(posedge clk) begin
    if (read) begin
      expected_q <= expected;
      told_q <= told;
    end
  end

  logic started_q = 1'b0;
  always_ff @(posedge clk) started_q <= 1'b1;
  `FV_ASSERT(address_and_data_together, rst || s_axi_awready == s_axi_wready)
  `FV_ASSERT(taken_when_both_are_there, rst || !s_axi_awready || (s_axi_awvalid && s_axi_wvalid))
  `FV_ASSERT(write_answered_once, rst || s_axi_bvalid == owed_b_q)
  `FV_ASSERT(read_answered_once, rst || s_axi_rvalid == owed_r_q)
  `FV_ASSERT(none_while_one_is_owed, rst || !(write && owed_b_q) && !(read && owed_r_q))
  `FV_ASSERT(always_okay, s_axi_bresp == 2'b00 && s_axi_rresp == 2'b00)
  `FV_ASSERT(read_as_told, rst || !s_axi_rvalid || !told_q || s_axi_rdata == expected_q)
  `FV_ASSERT(packet_as_written, !started_q || packet_frames == packet_q)
  `FV_ASSERT(reset_as_asked, !started_q || datapath_rst == reset_q)
  `FV_COVER_POINT(soft_reset, !rst && resetting && datapath_rst && !after_reset)
  `FV_COVER_POINT(flag_read, !rst && s_axi_rvalid && told_q && s_axi_rdata == 32'd5)
  `FV_COVER_POINT(half_written, !rst && started_q && packet_frames == 16'h0201)
endmodule

`default_nettype wire
