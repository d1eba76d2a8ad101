// The accelerator's registers on AXI4-Lite: identity, control, sticky flags, counters.
//
// The map is in docs/registers.md; its offsets and bits are those of bvit_registers_pkg. One transfer each way
// at a time, two cycles; reading where there is no register gives 0, writing there does nothing, both OKAY.
// Events come in as pulses of one cycle.
//
// The datapath's reset comes from here, for it is a cycle behind what asks for it: the datapath runs on
// in that cycle and may report an event in the next one. Whatever must not count that waits for it.
`default_nettype none

module bvit_axi_lite_regs #(
  parameter bit [31:0]  VERSION = bvit_registers_pkg::VERSION_VALUE,
  parameter bit [255:0] HASH = 256'd0,     // SHA-256 of the frozen model, as its hexadecimal digits read
  parameter int         HEIGHT = 32,       // of the image in pixels
  parameter int         WIDTH = 32,
  parameter int         CHANNELS = 3,
  parameter int         CLASSES = 10,
  parameter int         EXPONENT = 0,      // logit = integer * 2^EXPONENT
  parameter int         ADDR_W = bvit_registers_pkg::ADDRESS_BITS,
  parameter int         RESET_CYCLES = 16  // length of a soft reset
) (
  input  wire logic              clk,
  input  wire logic              rst,
  input  wire logic [ADDR_W-1:0] s_axi_awaddr,
  input  wire logic [2:0]        s_axi_awprot,
  input  wire logic              s_axi_awvalid,
  output logic                   s_axi_awready,
  input  wire logic [31:0]       s_axi_wdata,
  input  wire logic [3:0]        s_axi_wstrb,
  input  wire logic              s_axi_wvalid,
  output logic                   s_axi_wready,
  output logic [1:0]             s_axi_bresp,
  output logic                   s_axi_bvalid,
  input  wire logic              s_axi_bready,
  input  wire logic [ADDR_W-1:0] s_axi_araddr,
  input  wire logic [2:0]        s_axi_arprot,
  input  wire logic              s_axi_arvalid,
  output logic                   s_axi_arready,
  output logic [31:0]            s_axi_rdata,
  output logic [1:0]             s_axi_rresp,
  output logic                   s_axi_rvalid,
  input  wire logic              s_axi_rready,
  output logic                   datapath_rst,    // resets all but these registers; a register: it goes far
  output logic [15:0]            packet_frames,   // frames that a packet holds
  input  wire logic              frame_start,     // the first beat of a frame came in
  input  wire logic              frame_accepted,
  input  wire logic              frame_short,
  input  wire logic              frame_long,
  input  wire logic              packet_short,
  input  wire logic              frame_done,      // the last logit of a frame went out
  input  wire logic              output_stalled
);
  localparam int ResetW = $clog2(RESET_CYCLES + 1);
  localparam int CountBits = bvit_registers_pkg::PACKET_FRAMES_COUNT_MSB + 1;

  if (2 ** ADDR_W < bvit_registers_pkg::END) begin : gen_bad_address
    $error("bvit_axi_lite_regs: ADDR_W=%0d; the registers need %0d", ADDR_W, $clog2(bvit_registers_pkg::END));
  end
  if (bvit_registers_pkg::PACKET_FRAMES_COUNT_LSB != 0 || CountBits != $bits(packet_frames)) begin : gen_bad_bits
    $error("bvit_axi_lite_regs: PACKET_FRAMES is written as two bytes, bits 15 to 0");
  end

  // Write channel: address and data are taken together.
  logic write_q, control;
  assign s_axi_awready = write_q;
  assign s_axi_wready = write_q;
  assign s_axi_bresp = 2'b00;
  assign control = write_q && s_axi_wstrb[0] &&
                   32'(s_axi_awaddr[ADDR_W-1:2]) == bvit_registers_pkg::CONTROL >> 2;
  always_ff @(posedge clk) begin
    if (rst) begin
      write_q <= 1'b0;
      s_axi_bvalid <= 1'b0;
    end else begin
      write_q <= s_axi_awvalid && s_axi_wvalid && !write_q && !s_axi_bvalid;
      if (write_q) s_axi_bvalid <= 1'b1;
      else if (s_axi_bready) s_axi_bvalid <= 1'b0;
    end
  end

  // Control: both bits clear themselves. A clear together with a reset lasts until the datapath is out of it.
  logic [ResetW-1:0] reset_left_q;
  logic soft_rst, clear_q;
  assign soft_rst = reset_left_q != '0;
  always_ff @(posedge clk) begin
    datapath_rst <= rst || soft_rst;
    if (rst) begin
      reset_left_q <= '0;
      clear_q <= 1'b1;
    end else begin
      if (control && s_axi_wdata[bvit_registers_pkg::CONTROL_SOFT_RESET_BIT]) reset_left_q <= ResetW'(RESET_CYCLES);
      else if (soft_rst) reset_left_q <= reset_left_q - 1'b1;
      clear_q <= (control && s_axi_wdata[bvit_registers_pkg::CONTROL_CLEAR_BIT]) || (clear_q && soft_rst);
    end
  end

  // Frames a packet: 1 again after a soft reset too, so that whoever wrote another value sees that there was one.
  // It changes with the datapath's reset, not before: it must not while a packet is under way.
  logic packet_write;
  assign packet_write = write_q && 32'(s_axi_awaddr[ADDR_W-1:2]) == bvit_registers_pkg::PACKET_FRAMES >> 2;
  always_ff @(posedge clk) begin
    if (rst || reset_left_q == ResetW'(RESET_CYCLES)) packet_frames <= 16'd1;
    else if (packet_write) begin
      if (s_axi_wstrb[0]) packet_frames[7:0] <= s_axi_wdata[7:0];
      if (s_axi_wstrb[1]) packet_frames[15:8] <= s_axi_wdata[15:8];
    end
  end

  // Flags and counters. An event in the cycle of a clear is lost, as if it had come before.
  logic [bvit_registers_pkg::FLAGS_BITS-1:0] flags_q, events;
  logic [31:0] in_q, out_q, dropped_q;
  logic [63:0] cycle_q;
  logic [31:0] interval_q, latency_q, done_at_q;
  assign events[bvit_registers_pkg::FLAGS_FRAME_SHORT_BIT] = frame_short;
  assign events[bvit_registers_pkg::FLAGS_FRAME_LONG_BIT] = frame_long;
  assign events[bvit_registers_pkg::FLAGS_OUTPUT_STALLED_BIT] = output_stalled;
  assign events[bvit_registers_pkg::FLAGS_PACKET_SHORT_BIT] = packet_short;
  always_ff @(posedge clk) begin
    if (clear_q) begin
      flags_q <= '0;
      in_q <= '0;
      out_q <= '0;
      dropped_q <= '0;
      cycle_q <= '0;
    end else begin
      flags_q <= flags_q | events;
      in_q <= in_q + 32'(frame_accepted);
      out_q <= out_q + 32'(frame_done);
      dropped_q <= dropped_q + 32'(frame_short || frame_long);
      cycle_q <= cycle_q + 64'd1;
    end
  end

  // Interval: from the second finished frame on. Latency: one frame at a time is watched, from its
  // first beat; ahead_q counts the frames that will finish before it.
  logic done_before_q;
  logic watching_q, committed_q;
  logic [15:0] inside_q, ahead_q;
  logic [31:0] start_q;
  logic restart;
  assign restart = clear_q || datapath_rst;
  always_ff @(posedge clk) begin
    if (frame_done) done_at_q <= cycle_q[31:0];
    if (clear_q) begin
      interval_q <= '0;
      latency_q <= '0;
    end else begin
      if (frame_done && done_before_q) interval_q <= cycle_q[31:0] - done_at_q;
      if (frame_done && committed_q && ahead_q == '0) latency_q <= cycle_q[31:0] - start_q;
    end
    if (datapath_rst) inside_q <= '0;
    else inside_q <= inside_q + 16'(frame_accepted) - 16'(frame_done);
    if (restart) begin
      done_before_q <= 1'b0;
      watching_q <= 1'b0;
      committed_q <= 1'b0;
    end else begin
      if (frame_done) done_before_q <= 1'b1;
      if (!watching_q) begin
        // A frame of one beat starts and ends in the same cycle.
        watching_q <= frame_start && !frame_short && !frame_long;
        committed_q <= frame_start && frame_accepted;
      end else if (!committed_q) begin
        watching_q <= !(frame_short || frame_long);
        committed_q <= frame_accepted;
      end else if (frame_done && ahead_q == '0) begin
        watching_q <= 1'b0;
        committed_q <= 1'b0;
      end
    end
    if (!watching_q) start_q <= cycle_q[31:0];
    if (!committed_q) ahead_q <= inside_q - 16'(frame_done);
    else if (frame_done) ahead_q <= ahead_q - 16'd1;
  end

  // Read channel. Reading the low half of the cycle counter keeps the high half that belongs to it.
  logic read_q;
  logic [31:0] data;
  logic [31:0] cycle_high_q;
  assign s_axi_arready = read_q;
  assign s_axi_rresp = 2'b00;
  always_ff @(posedge clk) begin
    if (rst) begin
      read_q <= 1'b0;
      s_axi_rvalid <= 1'b0;
      cycle_high_q <= '0;
    end else begin
      read_q <= s_axi_arvalid && !read_q && !s_axi_rvalid;
      if (read_q) s_axi_rvalid <= 1'b1;
      else if (s_axi_rready) s_axi_rvalid <= 1'b0;
      if (read_q && 32'(s_axi_araddr[ADDR_W-1:2]) == bvit_registers_pkg::CYCLES_LOW >> 2) begin
        cycle_high_q <= cycle_q[63:32];
      end
    end
    if (read_q) s_axi_rdata <= data;
  end

  always_comb begin
    unique case ({s_axi_araddr[ADDR_W-1:2], 2'b00})
      ADDR_W'(bvit_registers_pkg::MAGIC): data = bvit_registers_pkg::MAGIC_VALUE;
      ADDR_W'(bvit_registers_pkg::VERSION): data = VERSION;
      ADDR_W'(bvit_registers_pkg::MODEL_HASH): data = HASH[255:224];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 4): data = HASH[223:192];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 8): data = HASH[191:160];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 12): data = HASH[159:128];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 16): data = HASH[127:96];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 20): data = HASH[95:64];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 24): data = HASH[63:32];
      ADDR_W'(bvit_registers_pkg::MODEL_HASH + 28): data = HASH[31:0];
      ADDR_W'(bvit_registers_pkg::IMAGE_SIZE):
        data = (32'(16'(HEIGHT)) << bvit_registers_pkg::IMAGE_SIZE_HEIGHT_LSB) |
               (32'(16'(WIDTH)) << bvit_registers_pkg::IMAGE_SIZE_WIDTH_LSB);
      ADDR_W'(bvit_registers_pkg::IMAGE_DEPTH):
        data = (32'(16'(CHANNELS)) << bvit_registers_pkg::IMAGE_DEPTH_CHANNELS_LSB) |
               (32'(16'(CLASSES)) << bvit_registers_pkg::IMAGE_DEPTH_CLASSES_LSB);
      ADDR_W'(bvit_registers_pkg::LOGITS_EXPONENT): data = 32'(EXPONENT);
      ADDR_W'(bvit_registers_pkg::CONTROL): data = 32'(soft_rst) << bvit_registers_pkg::CONTROL_SOFT_RESET_BIT;
      ADDR_W'(bvit_registers_pkg::FLAGS): data = 32'(flags_q);
      ADDR_W'(bvit_registers_pkg::FRAMES_IN): data = in_q;
      ADDR_W'(bvit_registers_pkg::FRAMES_OUT): data = out_q;
      ADDR_W'(bvit_registers_pkg::FRAMES_DROPPED): data = dropped_q;
      ADDR_W'(bvit_registers_pkg::CYCLES_LOW): data = cycle_q[31:0];
      ADDR_W'(bvit_registers_pkg::CYCLES_HIGH): data = cycle_high_q;
      ADDR_W'(bvit_registers_pkg::FRAME_INTERVAL): data = interval_q;
      ADDR_W'(bvit_registers_pkg::FRAME_LATENCY): data = latency_q;
      ADDR_W'(bvit_registers_pkg::PACKET_FRAMES): data = 32'(packet_frames);
      default: data = '0;
    endcase
  end

  wire unused = &{1'b0, s_axi_awprot, s_axi_arprot, s_axi_awaddr[1:0], s_axi_araddr[1:0],
                  s_axi_wdata[31:16], s_axi_wstrb[3:2]};
endmodule

`default_nettype wire
