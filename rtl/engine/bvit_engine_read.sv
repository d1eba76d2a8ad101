// AXI4 master that reads pieces of DRAM: bursts, at most OUTSTANDING of them under way, and beats as they come.
//
// A request is taken where `ask` and `ask_ready` are high; up to REQUESTS of them wait for their beats, so that the
// next one's addresses go out while the data of those before come. A beat is given out a cycle after it was taken, in
// the order of requests, with its request's tag, and `first` and `last` of its request. Every one is taken at once, but
// none in the cycle behind a request's last one, and with `hold` none of a request that was asked for as `held`.
// `ask_less` is the request's beats less two, and `ask_single` tells that there is one: so no beat waits for a
// comparison of counts. Beats with an `error`
// are given out all the same, and all of them are awaited. `busy` tells that beats are still to come. What comes
// without a request, behind a reset, goes nowhere.
`default_nettype none

module bvit_engine_read #(
  parameter int ADDRESS = 32,
  parameter int PORT = 64,      // bits of a beat
  parameter int BURST = 16,
  parameter int OUTSTANDING = 8,
  parameter int REQUESTS = 8,
  parameter int TAG = 28
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               ask,
  output      logic               ask_ready,
  input  wire logic [ADDRESS-1:0] ask_addr,
  input  wire logic [23:0]        ask_beats,     // at least one
  input  wire logic [23:0]        ask_less,
  input  wire logic               ask_single,
  input  wire logic               ask_held,
  input  wire logic [TAG-1:0]     ask_tag,
  output      logic               valid,
  output      logic [PORT-1:0]    data,
  output      logic               first,
  output      logic               last,
  output      logic               error,
  output      logic [TAG-1:0]     tag,
  output      logic               busy,
  input  wire logic               hold,
  output      logic [ADDRESS-1:0] m_axi_araddr,
  output      logic [7:0]         m_axi_arlen,
  output      logic               m_axi_arvalid,
  input  wire logic               m_axi_arready,
  input  wire logic [PORT-1:0]    m_axi_rdata,
  input  wire logic [1:0]         m_axi_rresp,
  input  wire logic               m_axi_rlast,
  input  wire logic               m_axi_rvalid,
  output      logic               m_axi_rready
);
  localparam int COUNT_BITS = $clog2(REQUESTS + 1);

  logic taken, bursts_busy, bursts_free, queue_ready, asks;
  assign ask_ready = bursts_free && queue_ready;
  assign asks = ask && ask_ready;
  bvit_engine_bursts #(
    .ADDRESS(ADDRESS),
    .PORT(PORT),
    .BURST(BURST),
    .OUTSTANDING(OUTSTANDING)
  ) u_bursts (
    .clk,
    .rst,
    .start(asks),
    .start_addr(ask_addr),
    .start_beats(ask_beats),
    .valid(m_axi_arvalid),
    .ready(m_axi_arready),
    .taken,
    .ended(m_axi_rvalid && m_axi_rready && m_axi_rlast),
    .addr(m_axi_araddr),
    .len(m_axi_arlen),
    .free(bursts_free),
    .busy(bursts_busy)
  );

  // The requests that wait for beats; the first one's come now.
  logic head_valid, head_single, head_held, takes, ends, ended_q, first_q, last_q;
  logic [23:0] head_less, done_q;   // beats less two; beats that have come
  logic [TAG-1:0] head_tag;
  bvit_fifo #(
    .W(26 + TAG),
    .DEPTH(REQUESTS)
  ) u_requests (
    .clk,
    .rst,
    .s_axis_tdata({ask_less, ask_single, ask_held, ask_tag}),
    .s_axis_tvalid(asks),
    .s_axis_tready(queue_ready),
    .m_axis_tdata({head_less, head_single, head_held, head_tag}),
    .m_axis_tvalid(head_valid),
    .m_axis_tready(ended_q)
  );
  assign m_axi_rready = !ended_q && !(hold && head_held);
  assign takes = m_axi_rvalid && m_axi_rready && head_valid;
  assign ends = takes && (first_q ? head_single : last_q);
  logic [COUNT_BITS-1:0] waiting_q;
  assign busy = waiting_q != '0;
  always_ff @(posedge clk) begin
    if (rst) begin
      first_q <= 1'b1;
      ended_q <= 1'b0;
      waiting_q <= '0;
      valid <= 1'b0;
    end else begin
      if (takes) first_q <= ends;
      ended_q <= ends;
      waiting_q <= waiting_q + COUNT_BITS'(asks) - COUNT_BITS'(ended_q);
      valid <= takes;
    end
    if (rst) done_q <= '0;
    else if (takes) done_q <= ends ? '0 : done_q + 24'd1;
    if (takes) last_q <= done_q == head_less;
    data <= m_axi_rdata;
    first <= first_q;
    last <= first_q ? head_single : last_q;
    error <= m_axi_rresp != 2'b00;
    tag <= head_tag;
  end
  logic unused;
  assign unused = ^{taken, bursts_busy};
endmodule

`default_nettype wire
