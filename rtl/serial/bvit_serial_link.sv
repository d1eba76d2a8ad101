// The accelerator's host side on a serial line (docs/serial.md): registers read and written, frames in,
// logits out, one packet each.
//
// A frame is kept until its packet is over and known to be right; then it goes to the accelerator in
// one go, a beat a cycle, and its tag is noted. Logits come back in the frames' order, and take the
// tags with them. A soft reset of the accelerator goes through here, and clears what is noted: frames
// that were inside are gone. What cannot be served, since it is wrong, too long, or comes while the
// last of its kind is still under way, is answered by a packet that says so; the host sends it again.
`default_nettype none

module bvit_serial_link #(
  parameter int BIT_SIXTEENTHS = 267,  // cycles that a bit lasts on the line, in sixteenths
  parameter int W = 64,                // width of the pixels' tdata in bits, whole bytes
  parameter int BYTES = 3072,          // bytes of a frame, whole beats
  parameter int CLASSES = 10,          // logits of a frame, 32 bits each
  parameter int TAGS = 16,             // frames that may be inside at once
  parameter int ADDR_W = bvit_registers_pkg::ADDRESS_BITS
) (
  input  wire logic              clk,
  input  wire logic              rst,
  input  wire logic              rx,
  output logic                   tx,
  output logic [W-1:0]           m_axis_tdata,
  output logic [W/8-1:0]         m_axis_tkeep,
  output logic                   m_axis_tlast,
  output logic                   m_axis_tvalid,
  input  wire logic              m_axis_tready,
  input  wire logic [31:0]       s_axis_tdata,
  input  wire logic              s_axis_tlast,
  input  wire logic              s_axis_tvalid,
  output logic                   s_axis_tready,
  output logic [ADDR_W-1:0]      m_axi_awaddr,
  output logic [2:0]             m_axi_awprot,
  output logic                   m_axi_awvalid,
  input  wire logic              m_axi_awready,
  output logic [31:0]            m_axi_wdata,
  output logic [3:0]             m_axi_wstrb,
  output logic                   m_axi_wvalid,
  input  wire logic              m_axi_wready,
  input  wire logic [1:0]        m_axi_bresp,
  input  wire logic              m_axi_bvalid,
  output logic                   m_axi_bready,
  output logic [ADDR_W-1:0]      m_axi_araddr,
  output logic [2:0]             m_axi_arprot,
  output logic                   m_axi_arvalid,
  input  wire logic              m_axi_arready,
  input  wire logic [31:0]       m_axi_rdata,
  input  wire logic [1:0]        m_axi_rresp,
  input  wire logic              m_axi_rvalid,
  output logic                   m_axi_rready,
  output logic [2:0]             lights           // a packet came, one goes out, one was wrong since reset
);
  localparam int Lanes = W / 8;
  localparam int Beats = BYTES / Lanes;
  localparam int AddrW = (Beats > 1) ? $clog2(Beats) : 1;
  localparam int LaneW = (Lanes > 1) ? $clog2(Lanes) : 1;

  if (W < 8 || W % 8 != 0 || Lanes != 1 << $clog2(Lanes)) begin : gen_bad_width
    $error("bvit_serial_link: W=%0d; allowed: 8 bits times a power of two", W);
  end
  if (BYTES < Lanes || BYTES % Lanes != 0 || BYTES > 65535) begin : gen_bad_bytes
    $error("bvit_serial_link: BYTES=%0d; allowed: whole beats, up to 65535 bytes", BYTES);
  end
  if (CLASSES < 1 || CLASSES > 16383) begin : gen_bad_classes
    $error("bvit_serial_link: CLASSES=%0d; allowed: 1 to 16383", CLASSES);
  end

  // What a packet is: requests of the host, answers to them.
  localparam logic [7:0] Read = 8'h01;
  localparam logic [7:0] Write = 8'h02;
  localparam logic [7:0] Frame = 8'h03;
  localparam logic [7:0] Value = 8'h81;
  localparam logic [7:0] Written = 8'h82;
  localparam logic [7:0] Logits = 8'h83;
  localparam logic [7:0] Refused = 8'hFF;

  // ---- what comes ------------------------------------------------------------------------------------------------

  logic [7:0] rx_data, kind, tag, payload;
  logic [15:0] length, index;
  logic rx_valid, payload_valid, good, bad;

  bvit_uart_rx #(.BIT_SIXTEENTHS(BIT_SIXTEENTHS)) u_rx (
    .clk(clk), .rst(rst), .line(rx), .data(rx_data), .data_valid(rx_valid)
  );
  bvit_serial_receive u_receive (
    .clk(clk), .rst(rst), .data(rx_data), .data_valid(rx_valid),
    .kind(kind), .tag(tag), .length(length), .index(index), .payload(payload), .payload_valid(payload_valid),
    .good(good), .bad(bad)
  );

  logic is_read, is_write, is_frame;
  assign is_read = kind == Read && length == 16'd2;
  assign is_write = kind == Write && length == 16'd6;
  assign is_frame = kind == Frame && length == 16'(BYTES);

  // The first six bytes of the payload: an address, a word.
  logic [47:0] words_q;
  always_ff @(posedge clk) begin
    if (payload_valid && index < 16'd6) words_q <= {payload, words_q[47:8]};
  end

  // ---- frames ----------------------------------------------------------------------------------------------------

  logic flush;
  logic sending_q, beat_there_q, last_there_q;  // beats are read; one is there; it is the last
  logic tag_room, take_frame, spoiled_q;
  logic [AddrW-1:0] beat_q;
  logic read_beat;

  bvit_ram #(.DEPTH(Beats), .LANE_BITS(8), .LANES(Lanes), .STYLE(1)) u_frame (
    .clk(clk),
    .we((payload_valid && kind == Frame && index < 16'(BYTES)) ? Lanes'(1) << index[LaneW-1:0] : '0),
    .waddr(AddrW'(index / 16'(Lanes))), .wdata(payload),
    .re(read_beat), .raddr(beat_q), .rdata(m_axis_tdata)
  );
  assign m_axis_tkeep = '1;
  assign m_axis_tvalid = beat_there_q;
  assign m_axis_tlast = last_there_q;
  assign read_beat = sending_q && (!beat_there_q || m_axis_tready);

  // A frame whose memory was still being read when its first bytes came is spoiled.
  assign take_frame = good && is_frame && !spoiled_q && !sending_q && tag_room;
  always_ff @(posedge clk) begin
    if (rst || flush) begin
      sending_q <= 1'b0;
      beat_there_q <= 1'b0;
    end else begin
      if (take_frame) sending_q <= 1'b1;
      else if (read_beat && beat_q == AddrW'(Beats - 1)) sending_q <= 1'b0;
      if (read_beat) beat_there_q <= 1'b1;
      else if (m_axis_tready) beat_there_q <= 1'b0;
    end
    if (take_frame) beat_q <= '0;
    else if (read_beat) beat_q <= beat_q + 1'b1;
    if (read_beat) last_there_q <= beat_q == AddrW'(Beats - 1);
    if (rst || good || bad) spoiled_q <= 1'b0;
    else if (payload_valid && kind == Frame && sending_q) spoiled_q <= 1'b1;
  end

  // Tags of the frames inside.
  logic [7:0] logits_tag;
  logic tag_there, take_tag;
  bvit_fifo #(.W(8), .DEPTH(TAGS)) u_tags (
    .clk(clk), .rst(rst || flush),
    .s_axis_tdata(tag), .s_axis_tvalid(take_frame), .s_axis_tready(tag_room),
    .m_axis_tdata(logits_tag), .m_axis_tvalid(tag_there), .m_axis_tready(take_tag)
  );

  // ---- registers -------------------------------------------------------------------------------------------------

  // One access at a time; an answer may wait for the line while the next request comes, whose answer then replaces it.
  logic reading_q, writing_q, access_tag_done;
  logic [7:0] access_tag_q;
  assign m_axi_araddr = ADDR_W'(words_q[47:32]);  // two bytes have come, or six
  assign m_axi_awaddr = ADDR_W'(words_q[15:0]);
  assign m_axi_wdata = words_q[47:16];
  assign m_axi_arprot = '0;
  assign m_axi_awprot = '0;
  assign m_axi_wstrb = '1;
  assign m_axi_rready = 1'b1;
  assign m_axi_bready = 1'b1;
  assign m_axi_arvalid = reading_q;
  assign m_axi_awvalid = writing_q;
  assign m_axi_wvalid = writing_q;
  assign access_tag_done = m_axi_rvalid || m_axi_bvalid;

  always_ff @(posedge clk) begin
    if (good) access_tag_q <= tag;
    if (rst) begin
      reading_q <= 1'b0;
      writing_q <= 1'b0;
    end else begin
      if (good && is_read) reading_q <= 1'b1;
      else if (m_axi_arready) reading_q <= 1'b0;
      if (good && is_write) writing_q <= 1'b1;
      else if (m_axi_awready && m_axi_wready) writing_q <= 1'b0;
    end
  end
  assign flush = writing_q && 32'(m_axi_awaddr[ADDR_W-1:2]) == bvit_registers_pkg::CONTROL >> 2 &&
                 m_axi_wdata[bvit_registers_pkg::CONTROL_SOFT_RESET_BIT];

  // ---- what goes -------------------------------------------------------------------------------------------------

  logic answer_q;            // an answer waits
  logic [7:0] answer_kind_q, answer_tag_q;
  logic [31:0] answer_data_q, sent_data_q;  // what is on its way out does not change
  logic logits_now_q;        // what goes out are logits, not an answer
  logic start, idle, start_logits, body_ready, body_valid;
  logic [1:0] byte_q;        // of the word
  logic [31:0] word;
  logic [7:0] tx_data;
  logic tx_valid, tx_ready;
  logic refuse;

  assign refuse = bad || (good && !is_read && !is_write && !take_frame);
  assign start_logits = idle && !answer_q && s_axis_tvalid && tag_there && !flush;
  assign start = idle && (answer_q || start_logits);
  assign take_tag = start_logits;
  assign word = logits_now_q ? s_axis_tdata : sent_data_q;
  assign body_valid = !logits_now_q || s_axis_tvalid;
  assign s_axis_tready = logits_now_q && body_ready && byte_q == 2'd3;

  always_ff @(posedge clk) begin
    if (start) logits_now_q <= !answer_q;
    if (start) sent_data_q <= answer_data_q;
    if (start) byte_q <= '0;
    else if (body_ready) byte_q <= byte_q + 2'd1;
    if (rst) answer_q <= 1'b0;
    else if (access_tag_done || refuse) answer_q <= 1'b1;
    else if (start) answer_q <= 1'b0;
    if (m_axi_rvalid) answer_kind_q <= Value;
    else if (m_axi_bvalid) answer_kind_q <= Written;
    else if (refuse) answer_kind_q <= Refused;
    if (access_tag_done) answer_tag_q <= access_tag_q;
    else if (refuse) answer_tag_q <= good ? tag : 8'd0;
    if (m_axi_rvalid) answer_data_q <= m_axi_rdata;
  end

  logic [7:0] start_kind;
  logic [15:0] start_length;
  assign start_kind = answer_q ? answer_kind_q : Logits;
  assign start_length = !answer_q ? 16'(4 * CLASSES) : (answer_kind_q == Value) ? 16'd4 : 16'd0;

  bvit_serial_send u_send (
    .clk(clk), .rst(rst), .start(start), .cut(flush && logits_now_q), .kind(start_kind),
    .tag(answer_q ? answer_tag_q : logits_tag), .length(start_length), .idle(idle),
    .s_axis_tdata(word[8*byte_q+:8]), .s_axis_tvalid(body_valid), .s_axis_tready(body_ready),
    .m_axis_tdata(tx_data), .m_axis_tvalid(tx_valid), .m_axis_tready(tx_ready)
  );
  bvit_uart_tx #(.BIT_SIXTEENTHS(BIT_SIXTEENTHS)) u_tx (
    .clk(clk), .rst(rst), .s_axis_tdata(tx_data), .s_axis_tvalid(tx_valid), .s_axis_tready(tx_ready), .line(tx)
  );

  // ---- lights ----------------------------------------------------------------------------------------------------

  always_ff @(posedge clk) begin
    if (rst) lights <= '0;
    else lights <= {lights[2] || bad, !idle, lights[0] ^ good};
  end

  wire unused = &{1'b0, m_axi_bresp, m_axi_rresp, s_axis_tlast};
endmodule

`default_nettype wire
