// The stand-in accelerator (device_stand_in.sv) with its ports made visible, for test_shell.py. Bench only.
//
// Where valid is low the rest of a channel carries noise, so that a unit which looks at it is found out.
`default_nettype none

module shell_top #(
  parameter int BYTES = 96,
  parameter int DEPTH = 24,
  parameter int STALL_CYCLES = 500
) (
  input  wire logic        ap_clk /*verilator public_flat_rw*/,
  input  wire logic        ap_rst_n /*verilator public_flat_rw*/,
  input  wire logic [63:0] s_axis_tdata /*verilator public_flat_rw*/,
  input  wire logic [7:0]  s_axis_tkeep /*verilator public_flat_rw*/,
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
  logic [72:0] pixel_noise;
  logic [14:0] aw_noise, ar_noise;
  logic [35:0] w_noise;
  always @(posedge ap_clk) begin
    pixel_noise <= 73'({$urandom, $urandom, $urandom});
    {aw_noise, ar_noise} <= 30'($urandom);
    w_noise <= 36'({$urandom, $urandom});
  end

  logic [63:0] tdata;
  logic [7:0]  tkeep;
  logic        tlast;
  logic [11:0] awaddr, araddr;
  logic [2:0]  awprot, arprot;
  logic [31:0] wdata;
  logic [3:0]  wstrb;
  assign {tdata, tkeep, tlast} = s_axis_tvalid ? {s_axis_tdata, s_axis_tkeep, s_axis_tlast} : pixel_noise;
  assign {awaddr, awprot} = s_axil_awvalid ? {s_axil_awaddr, s_axil_awprot} : aw_noise;
  assign {araddr, arprot} = s_axil_arvalid ? {s_axil_araddr, s_axil_arprot} : ar_noise;
  assign {wdata, wstrb} = s_axil_wvalid ? {s_axil_wdata, s_axil_wstrb} : w_noise;

  bvit_accelerator #(.BYTES(BYTES), .DEPTH(DEPTH), .STALL_CYCLES(STALL_CYCLES)) u_dut (
    .s_axis_tdata(tdata), .s_axis_tkeep(tkeep), .s_axis_tlast(tlast),
    .s_axil_awaddr(awaddr), .s_axil_awprot(awprot), .s_axil_araddr(araddr), .s_axil_arprot(arprot),
    .s_axil_wdata(wdata), .s_axil_wstrb(wstrb),
    .*
  );
endmodule

`default_nettype wire
