// The serial link with the stand-in accelerator behind it, as a board's top has it, for test_serial.py. Bench only.
`default_nettype none

module serial_top #(
  parameter int BIT_SIXTEENTHS = 133
) (
  input  wire logic clk,
  input  wire logic rx,
  output logic      tx
);
  logic [3:0] up_q = '0;
  logic rst;
  always_ff @(posedge clk) if (!(&up_q)) up_q <= up_q + 4'd1;
  assign rst = !(&up_q);

  logic [63:0] s_axis_tdata;
  logic [7:0] s_axis_tkeep;
  logic s_axis_tlast, s_axis_tvalid, s_axis_tready;
  logic [31:0] m_axis_tdata;
  logic [3:0] m_axis_tkeep;
  logic m_axis_tlast, m_axis_tvalid, m_axis_tready;
  logic [11:0] s_axil_awaddr, s_axil_araddr;
  logic [2:0] s_axil_awprot, s_axil_arprot;
  logic s_axil_awvalid, s_axil_awready, s_axil_wvalid, s_axil_wready, s_axil_bvalid, s_axil_bready;
  logic s_axil_arvalid, s_axil_arready, s_axil_rvalid, s_axil_rready;
  logic [31:0] s_axil_wdata, s_axil_rdata;
  logic [3:0] s_axil_wstrb;
  logic [1:0] s_axil_bresp, s_axil_rresp;
  logic [2:0] lights;

  // Logits come late, as those of a network do: so frames are inside when a reset comes.
  logic [12:0] wait_q;
  logic held, link_tready;
  assign held = wait_q != '0;
  assign m_axis_tready = link_tready && !held;
  always_ff @(posedge clk) begin
    if (rst) wait_q <= '0;
    else if (s_axis_tvalid && s_axis_tready && s_axis_tlast) wait_q <= 13'd6000;
    else if (held) wait_q <= wait_q - 13'd1;
  end

  bvit_serial_link #(.BIT_SIXTEENTHS(BIT_SIXTEENTHS), .BYTES(96), .CLASSES(5), .TAGS(4)) u_link (
    .clk, .rst, .rx, .tx, .lights,
    .m_axis_tdata(s_axis_tdata), .m_axis_tkeep(s_axis_tkeep), .m_axis_tlast(s_axis_tlast),
    .m_axis_tvalid(s_axis_tvalid), .m_axis_tready(s_axis_tready),
    .s_axis_tdata(m_axis_tdata), .s_axis_tlast(m_axis_tlast),
    .s_axis_tvalid(m_axis_tvalid && !held), .s_axis_tready(link_tready),
    .m_axi_awaddr(s_axil_awaddr), .m_axi_awprot(s_axil_awprot),
    .m_axi_awvalid(s_axil_awvalid), .m_axi_awready(s_axil_awready),
    .m_axi_wdata(s_axil_wdata), .m_axi_wstrb(s_axil_wstrb),
    .m_axi_wvalid(s_axil_wvalid), .m_axi_wready(s_axil_wready),
    .m_axi_bresp(s_axil_bresp), .m_axi_bvalid(s_axil_bvalid), .m_axi_bready(s_axil_bready),
    .m_axi_araddr(s_axil_araddr), .m_axi_arprot(s_axil_arprot),
    .m_axi_arvalid(s_axil_arvalid), .m_axi_arready(s_axil_arready),
    .m_axi_rdata(s_axil_rdata), .m_axi_rresp(s_axil_rresp),
    .m_axi_rvalid(s_axil_rvalid), .m_axi_rready(s_axil_rready)
  );

  bvit_accelerator #(.BYTES(96), .DEPTH(24)) u_accelerator (.ap_clk(clk), .ap_rst_n(!rst), .*);

  bvit_axis_check #(.W(73), .NAME("frames")) u_check_frames (
    .clk, .rst, .tdata({s_axis_tkeep, s_axis_tlast, s_axis_tdata}), .tvalid(s_axis_tvalid), .tready(s_axis_tready)
  );
endmodule

`default_nettype wire
