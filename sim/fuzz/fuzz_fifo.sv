// bvit_fifo whose depth a simulation chooses when it starts: word ID of limits.mem, from 2 to DEPTH.
//
// Cycle for cycle what bvit_fifo is with that depth in registers or LUT RAM: a depth of 2 is the one of registers, any
// other one the memory's, closed as soon as so many beats are inside. So one model serves every depth that is tried.
`default_nettype none

module fuzz_fifo #(
  parameter int ID = 0,
  parameter int COUNT = 1,  // words of limits.mem
  parameter int W = 8,
  parameter int DEPTH = 3,
  parameter int STYLE = 0
) (
  input  wire logic         clk,
  input  wire logic         rst,
  input  wire logic [W-1:0] s_axis_tdata,
  input  wire logic         s_axis_tvalid,
  output logic              s_axis_tready,
  output logic [W-1:0]      m_axis_tdata,
  output logic              m_axis_tvalid,
  input  wire logic         m_axis_tready
);
  logic [31:0] limits[COUNT];
  initial $readmemh("limits.mem", limits);
  logic two, open;
  logic [31:0] count_q, max_count_q;
  assign two = limits[ID] == 32'd2;
  assign open = count_q < limits[ID];

  logic [W-1:0] skid_tdata, deep_tdata;
  logic skid_tvalid, skid_tready, deep_tvalid, deep_tready;
  bvit_fifo #(.W(W), .DEPTH(2)) u_skid (
    .clk, .rst, .s_axis_tdata, .s_axis_tvalid(two && s_axis_tvalid), .s_axis_tready(skid_tready),
    .m_axis_tdata(skid_tdata), .m_axis_tvalid(skid_tvalid), .m_axis_tready
  );
  bvit_fifo #(.W(W), .DEPTH(DEPTH)) u_deep (
    .clk, .rst, .s_axis_tdata, .s_axis_tvalid(!two && open && s_axis_tvalid), .s_axis_tready(deep_tready),
    .m_axis_tdata(deep_tdata), .m_axis_tvalid(deep_tvalid), .m_axis_tready
  );
  assign s_axis_tready = two ? skid_tready : open && deep_tready;
  assign m_axis_tdata = two ? skid_tdata : deep_tdata;
  assign m_axis_tvalid = two ? skid_tvalid : deep_tvalid;

  logic [31:0] count_d;
  assign count_d = count_q + 32'(s_axis_tvalid && s_axis_tready) - 32'(m_axis_tvalid && m_axis_tready);
  always_ff @(posedge clk) begin
    if (rst) begin
      count_q <= '0;
      max_count_q <= '0;
    end else begin
      count_q <= count_d;
      if (count_d > max_count_q) max_count_q <= count_d;
    end
  end
endmodule

`default_nettype wire
