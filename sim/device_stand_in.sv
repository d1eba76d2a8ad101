// An accelerator with a stand-in for the network, for the bench of the border and for tests of driver and simulated
// device: the real border, and as logit c the sum of the frame's bytes in lane c of the beats, minus 1000. A byte of
// a dropped frame that slipped through, or a lost one, shows. Small, so that it is built in seconds. Bench only.
`default_nettype none

module bvit_accelerator #(
  parameter int BYTES = 96,           // of a frame, whole beats
  parameter int DEPTH = 24,           // beats that the frame guard holds
  parameter int STALL_CYCLES = 65536  // of a logit not taken, until the flag is set
) (
  input  wire logic        ap_clk,
  input  wire logic        ap_rst_n,
  input  wire logic [63:0] s_axis_tdata,
  input  wire logic [7:0]  s_axis_tkeep,
  input  wire logic        s_axis_tlast,
  input  wire logic        s_axis_tvalid,
  output logic             s_axis_tready,
  output logic [31:0]      m_axis_tdata,
  output logic [3:0]       m_axis_tkeep,
  output logic             m_axis_tlast,
  output logic             m_axis_tvalid,
  input  wire logic        m_axis_tready,
  input  wire logic [11:0] s_axil_awaddr,
  input  wire logic [2:0]  s_axil_awprot,
  input  wire logic        s_axil_awvalid,
  output logic             s_axil_awready,
  input  wire logic [31:0] s_axil_wdata,
  input  wire logic [3:0]  s_axil_wstrb,
  input  wire logic        s_axil_wvalid,
  output logic             s_axil_wready,
  output logic [1:0]       s_axil_bresp,
  output logic             s_axil_bvalid,
  input  wire logic        s_axil_bready,
  input  wire logic [11:0] s_axil_araddr,
  input  wire logic [2:0]  s_axil_arprot,
  input  wire logic        s_axil_arvalid,
  output logic             s_axil_arready,
  output logic [31:0]      s_axil_rdata,
  output logic [1:0]       s_axil_rresp,
  output logic             s_axil_rvalid,
  input  wire logic        s_axil_rready
);
  localparam int Classes = 5;
  localparam int Beats = BYTES / 8;

  logic clk, rst, datapath_rst;
  assign clk = ap_clk;
  assign rst = !ap_rst_n;

  logic frame_start, frame_accepted, frame_short, frame_long, packet_short, frame_done;
  logic output_stalled;
  logic [15:0] packet_frames;

  bvit_axi_lite_regs #(
    .HASH(256'h00112233_44556677_8899aabb_ccddeeff_fedcba98_76543210_0f1e2d3c_4b5a6978),
    .HEIGHT(4), .WIDTH(8), .CHANNELS(3), .CLASSES(Classes), .EXPONENT(-7)
  ) u_regs (
    .clk, .rst,
    .s_axi_awaddr(s_axil_awaddr), .s_axi_awprot(s_axil_awprot),
    .s_axi_awvalid(s_axil_awvalid), .s_axi_awready(s_axil_awready),
    .s_axi_wdata(s_axil_wdata), .s_axi_wstrb(s_axil_wstrb),
    .s_axi_wvalid(s_axil_wvalid), .s_axi_wready(s_axil_wready),
    .s_axi_bresp(s_axil_bresp), .s_axi_bvalid(s_axil_bvalid), .s_axi_bready(s_axil_bready),
    .s_axi_araddr(s_axil_araddr), .s_axi_arprot(s_axil_arprot),
    .s_axi_arvalid(s_axil_arvalid), .s_axi_arready(s_axil_arready),
    .s_axi_rdata(s_axil_rdata), .s_axi_rresp(s_axil_rresp),
    .s_axi_rvalid(s_axil_rvalid), .s_axi_rready(s_axil_rready),
    .datapath_rst, .packet_frames, .frame_start, .frame_accepted, .frame_short, .frame_long, .packet_short,
    .frame_done, .output_stalled
  );

  logic [63:0] pixels_tdata;
  logic pixels_tvalid, pixels_tready;
  bvit_frame_guard #(.BYTES(BYTES), .DEPTH(DEPTH)) u_guard (
    .clk, .rst(datapath_rst),
    .s_axis_tdata, .s_axis_tkeep, .s_axis_tlast, .s_axis_tvalid, .s_axis_tready,
    .m_axis_tdata(pixels_tdata), .m_axis_tvalid(pixels_tvalid), .m_axis_tready(pixels_tready),
    .packet_frames, .frame_start, .frame_accepted, .frame_short, .frame_long, .packet_short
  );

  // The stand-in: adds while pixels come, gives its sums while the next frame's pixels come.
  logic [23:0] sum_q[Classes];
  logic [23:0] give_q[Classes];
  int beat_q, class_q;
  logic last, giving_q;
  logic logit_tready;
  assign last = beat_q == Beats - 1;
  assign pixels_tready = !last || !giving_q;
  always @(posedge clk) begin
    if (datapath_rst) begin
      beat_q <= 0;
      class_q <= 0;
      giving_q <= 1'b0;
      for (int c = 0; c < Classes; c++) sum_q[c] <= '0;
    end else begin
      if (pixels_tvalid && pixels_tready) begin
        beat_q <= last ? 0 : beat_q + 1;
        for (int c = 0; c < Classes; c++) begin
          sum_q[c] <= last ? '0 : sum_q[c] + 24'(pixels_tdata[c*8 +: 8]);
          if (last) give_q[c] <= sum_q[c] + 24'(pixels_tdata[c*8 +: 8]) - 24'd1000;
        end
        if (last) giving_q <= 1'b1;
      end
      if (giving_q && logit_tready) begin
        class_q <= (class_q == Classes - 1) ? 0 : class_q + 1;
        if (class_q == Classes - 1) giving_q <= 1'b0;
      end
    end
  end

  bvit_logits_out #(.BITS(24), .CLASSES(Classes), .STALL_CYCLES(STALL_CYCLES)) u_out (
    .clk, .rst(datapath_rst),
    .s_axis_tdata(give_q[class_q]), .s_axis_tvalid(giving_q), .s_axis_tready(logit_tready),
    .m_axis_tdata, .m_axis_tkeep, .m_axis_tlast, .m_axis_tvalid, .m_axis_tready,
    .packet_frames, .frame_done, .output_stalled
  );

  bvit_axis_check #(.W(64), .NAME("pixels")) u_check_pixels (
    .clk, .rst(datapath_rst), .tdata(pixels_tdata), .tvalid(pixels_tvalid), .tready(pixels_tready)
  );
  bvit_axis_check #(.W(33), .NAME("m_axis")) u_check_out (
    .clk, .rst(datapath_rst),
    .tdata({m_axis_tlast, m_axis_tdata}), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
endmodule

`default_nettype wire
