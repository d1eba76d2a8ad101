// The whole accelerator under cocotb: its ports made visible, its streams checked. Bench only.
`default_nettype none
`ifndef BVIT_TOP
`define BVIT_TOP bvit_accelerator
`endif

module accelerator_top #(
  parameter int INPUT_BITS = 64  // as the generated top has it
) (
  input  wire logic        ap_clk /*verilator public_flat_rw*/,
  input  wire logic        ap_rst_n /*verilator public_flat_rw*/,
  input  wire logic [INPUT_BITS-1:0] s_axis_tdata /*verilator public_flat_rw*/,
  input  wire logic [INPUT_BITS/8-1:0] s_axis_tkeep /*verilator public_flat_rw*/,
  input  wire logic        s_axis_tlast /*verilator public_flat_rw*/,
  input  wire logic        s_axis_tvalid /*verilator public_flat_rw*/,
  output logic             s_axis_tready /*verilator public_flat_rw*/,
  output logic [31:0]      m_axis_tdata /*verilator public_flat_rw*/,
  output logic [3:0]       m_axis_tkeep /*verilator public_flat_rw*/,
  output logic             m_axis_tlast /*verilator public_flat_rw*/,
  output logic             m_axis_tvalid /*verilator public_flat_rw*/,
  input  wire logic        m_axis_tready /*verilator public_flat_rw*/,
  input  wire logic [11:0] s_axil_awaddr /*verilator public_flat_rw*/,
  input  wire logic [2:0]  s_axil_awprot /*verilator public_flat_rw*/,
  input  wire logic        s_axil_awvalid /*verilator public_flat_rw*/,
  output logic             s_axil_awready /*verilator public_flat_rw*/,
  input  wire logic [31:0] s_axil_wdata /*verilator public_flat_rw*/,
  input  wire logic [3:0]  s_axil_wstrb /*verilator public_flat_rw*/,
  input  wire logic        s_axil_wvalid /*verilator public_flat_rw*/,
  output logic             s_axil_wready /*verilator public_flat_rw*/,
  output logic [1:0]       s_axil_bresp /*verilator public_flat_rw*/,
  output logic             s_axil_bvalid /*verilator public_flat_rw*/,
  input  wire logic        s_axil_bready /*verilator public_flat_rw*/,
  input  wire logic [11:0] s_axil_araddr /*verilator public_flat_rw*/,
  input  wire logic [2:0]  s_axil_arprot /*verilator public_flat_rw*/,
  input  wire logic        s_axil_arvalid /*verilator public_flat_rw*/,
  output logic             s_axil_arready /*verilator public_flat_rw*/,
  output logic [31:0]      s_axil_rdata /*verilator public_flat_rw*/,
  output logic [1:0]       s_axil_rresp /*verilator public_flat_rw*/,
  output logic             s_axil_rvalid /*verilator public_flat_rw*/,
  input  wire logic        s_axil_rready /*verilator public_flat_rw*/
);
  `BVIT_TOP u_dut (.*);

  bvit_axis_check #(.W(33), .NAME("m_axis")) u_check_out (
    .clk(ap_clk), .rst(!ap_rst_n),
    .tdata({m_axis_tlast, m_axis_tdata}), .tvalid(m_axis_tvalid), .tready(m_axis_tready)
  );
endmodule

`default_nettype wire
