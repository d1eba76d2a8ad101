// AXI4 master that reads a piece of DRAM: bursts, at most OUTSTANDING of them under way, and beats as they come.
//
// `start` takes address and beats; every beat is taken at once and given out a cycle later, in order. `done` is a pulse
// when the last one has been. `error` tells, from then until the next start, that one came with an error; they are
// given out all the same, and all of them are awaited.
`default_nettype none

module bvit_engine_read #(
  parameter int ADDRESS = 32,
  parameter int BURST = 16,
  parameter int OUTSTANDING = 4
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               start,
  input  wire logic [ADDRESS-1:0] start_addr,
  input  wire logic [23:0]        start_beats,
  output      logic               valid,
  output      logic [63:0]        data,
  output      logic               done,
  output      logic               error,
  output      logic [ADDRESS-1:0] m_axi_araddr,
  output      logic [7:0]         m_axi_arlen,
  output      logic               m_axi_arvalid,
  input  wire logic               m_axi_arready,
  input  wire logic [63:0]        m_axi_rdata,
  input  wire logic [1:0]         m_axi_rresp,
  input  wire logic               m_axi_rlast,
  input  wire logic               m_axi_rvalid,
  output      logic               m_axi_rready
);
  logic taken, busy;
  bvit_engine_bursts #(
    .ADDRESS(ADDRESS),
    .BURST(BURST),
    .OUTSTANDING(OUTSTANDING)
  ) u_bursts (
    .clk,
    .rst,
    .start,
    .start_addr,
    .start_beats,
    .valid(m_axi_arvalid),
    .ready(m_axi_arready),
    .taken,
    .ended(m_axi_rvalid && m_axi_rlast),
    .addr(m_axi_araddr),
    .len(m_axi_arlen),
    .busy
  );
  assign m_axi_rready = 1'b1;
  logic [23:0] left_q;
  always_ff @(posedge clk) begin
    if (rst) begin
      left_q <= '0;
      valid <= 1'b0;
      done <= 1'b0;
      error <= 1'b0;
    end else begin
      valid <= m_axi_rvalid && left_q != '0;
      done <= m_axi_rvalid && left_q == 24'd1;
      if (start) left_q <= start_beats;
      else if (m_axi_rvalid && left_q != '0) left_q <= left_q - 24'd1;
      if (start) error <= 1'b0;
      else if (m_axi_rvalid && m_axi_rresp != 2'b00) error <= 1'b1;
    end
    data <= m_axi_rdata;
  end
  logic unused;
  assign unused = ^{taken, busy};
endmodule

`default_nettype wire
