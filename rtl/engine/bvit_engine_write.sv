// AXI4 master that writes words of values to DRAM: the first `slices` beats of each, one word after another.
//
// The memory answers LATENCY cycles behind `store_addr`; what it gives waits in a FIFO for the port. At most
// OUTSTANDING bursts are under way. `done` is a pulse when all of them have been answered; `error`, from then until the
// next start, tells that one was with an error.
`default_nettype none

module bvit_engine_write #(
  parameter int ADDRESS = 32,
  parameter int PORT = 64,      // bits of a beat
  parameter int BURST = 16,
  parameter int OUTSTANDING = 4,
  parameter int LATENCY = 3
) (
  input  wire logic               clk,
  input  wire logic               rst,
  input  wire logic               start,
  input  wire logic [ADDRESS-1:0] start_addr,
  input  wire logic [23:0]        start_beats,   // words x slices
  input  wire logic [15:0]        base,
  input  wire logic [7:0]         slices,
  output      logic               done,
  output      logic               error,
  output      logic [15:0]        store_addr,
  output      logic [7:0]         store_slice,
  input  wire logic [PORT-1:0]    store_data,
  output      logic [ADDRESS-1:0] m_axi_awaddr,
  output      logic [7:0]         m_axi_awlen,
  output      logic               m_axi_awvalid,
  input  wire logic               m_axi_awready,
  output      logic [PORT-1:0]    m_axi_wdata,
  output      logic               m_axi_wlast,
  output      logic               m_axi_wvalid,
  input  wire logic               m_axi_wready,
  input  wire logic [1:0]         m_axi_bresp,
  input  wire logic               m_axi_bvalid,
  output      logic               m_axi_bready
);
  localparam int DEPTH = 16;
  localparam int HELD_BITS = $clog2(DEPTH + 1);

  // Addresses of bursts; the lengths of those whose data have not all gone wait beside them.
  logic taken, busy, free;
  bvit_engine_bursts #(
    .ADDRESS(ADDRESS),
    .PORT(PORT),
    .BURST(BURST),
    .OUTSTANDING(OUTSTANDING)
  ) u_bursts (
    .clk,
    .rst,
    .start,
    .start_addr,
    .start_beats,
    .valid(m_axi_awvalid),
    .ready(m_axi_awready),
    .taken,
    .ended(m_axi_bvalid),
    .addr(m_axi_awaddr),
    .len(m_axi_awlen),
    .free,
    .busy
  );
  assign m_axi_bready = 1'b1;
  logic lengths_ready, length_valid, length_taken;
  logic [7:0] length_less;   // beats less two
  logic single;              // one beat
  bvit_fifo #(
    .W(9),
    .DEPTH(OUTSTANDING + 1)
  ) u_lengths (
    .clk,
    .rst,
    .s_axis_tdata({m_axi_awlen - 8'd1, m_axi_awlen == '0}),
    .s_axis_tvalid(taken),
    .s_axis_tready(lengths_ready),
    .m_axis_tdata({length_less, single}),
    .m_axis_tvalid(length_valid),
    .m_axis_tready(length_taken)
  );

  // Words, as many as the FIFO has room for with those on their way
  logic [23:0] left_q;
  logic [HELD_BITS-1:0] held_q;
  logic reads, sent, data_ready, data_valid;
  logic [PORT-1:0] beat;
  logic [LATENCY:0] coming;
  assign reads = left_q != '0 && held_q != HELD_BITS'(DEPTH);
  assign sent = m_axi_wvalid && m_axi_wready;
  bvit_engine_stages #(
    .WIDTH(1),
    .STEPS(LATENCY),
    .RESET(1'b1)
  ) u_coming (
    .clk,
    .rst,
    .d(reads),
    .q(coming)
  );
  bvit_fifo #(
    .W(PORT),
    .DEPTH(DEPTH)
  ) u_beats (
    .clk,
    .rst,
    .s_axis_tdata(store_data),
    .s_axis_tvalid(coming[LATENCY]),
    .s_axis_tready(data_ready),
    .m_axis_tdata(beat),
    .m_axis_tvalid(data_valid),
    .m_axis_tready(sent)
  );
  logic [7:0] place_q;
  logic first_q, last_q;     // of a burst's beats: found a cycle before
  assign m_axi_wdata = beat;
  assign m_axi_wvalid = data_valid && length_valid;
  assign m_axi_wlast = first_q ? single : last_q;
  assign length_taken = sent && m_axi_wlast;

  logic running_q;
`ifndef SYNTHESIS
  /* verilator lint_off PROCASSINIT */
  logic known_q = 1'b0;  // there was a reset
  /* verilator lint_on PROCASSINIT */
`endif
  always_ff @(posedge clk) begin
    if (rst) begin
      left_q <= '0;
      held_q <= '0;
      place_q <= '0;
      first_q <= 1'b1;
      running_q <= 1'b0;
      done <= 1'b0;
      error <= 1'b0;
    end else begin
      held_q <= held_q + HELD_BITS'(reads) - HELD_BITS'(sent);
      if (start) left_q <= start_beats;
      else if (reads) left_q <= left_q - 24'd1;
      if (sent) begin
        place_q <= m_axi_wlast ? '0 : place_q + 8'd1;
        first_q <= m_axi_wlast;
        last_q <= place_q == length_less;
      end
      running_q <= start || (running_q && !done);
      done <= running_q && !done && !busy;
      if (start) error <= 1'b0;
      else if (m_axi_bvalid && m_axi_bresp != 2'b00) error <= 1'b1;
    end
    if (start) begin
      store_addr <= base;
      store_slice <= '0;
    end else if (reads) begin
      store_slice <= (store_slice == slices - 8'd1) ? '0 : store_slice + 8'd1;
      if (store_slice == slices - 8'd1) store_addr <= store_addr + 16'd1;
    end
`ifndef SYNTHESIS
    if (known_q && !rst) begin
      assert (!taken || lengths_ready) else $error("bvit_engine_write: no room for a burst's length");
      assert (!coming[LATENCY] || data_ready) else $error("bvit_engine_write: no room for a beat");
    end
    known_q <= known_q || rst;
`endif
  end
  logic unused;
  assign unused = ^{lengths_ready, data_ready, coming, free};
endmodule

`default_nettype wire
