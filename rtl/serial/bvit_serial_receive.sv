// Packets out of a serial line's bytes (docs/serial.md): END, then kind, tag, length, payload and CRC-32, then
// END, with END and ESC inside written as two bytes (SLIP, RFC 1055).
//
// Payload bytes are told as they come, and at the packet's end whether all of it was right: length,
// CRC, no broken escape. After any error the next END begins anew. What comes is a byte in hundreds
// of cycles, so nothing here can wait, and nothing has to.
`default_nettype none

module bvit_serial_receive (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic [7:0]  data,
  input  wire logic        data_valid,
  output logic [7:0]       kind,           // these four hold from payload to packet's end
  output logic [7:0]       tag,
  output logic [15:0]      length,         // as the packet says
  output logic [15:0]      index,          // of the payload's byte
  output logic [7:0]       payload,
  output logic             payload_valid,  // for a cycle: byte `index` of the payload
  output logic             good,           // for a cycle: the packet is over, and right
  output logic             bad             // for a cycle: the packet is over, and is to be forgotten
);
  localparam logic [7:0] End = 8'hC0;
  localparam logic [7:0] Esc = 8'hDB;
  localparam logic [7:0] EscEnd = 8'hDC;
  localparam logic [7:0] EscEsc = 8'hDD;
  localparam logic [31:0] Residue = 32'hDEBB20E3;  // of a message with its own CRC behind it

  logic escape_q, broken_q;
  logic [2:0] head_q;       // bytes of the header so far, up to 4
  logic [2:0] tail_q;       // bytes of the CRC so far, up to 5: too many
  logic [15:0] count_q;     // bytes of the payload so far
  logic [31:0] crc_q, crc_d;
  logic ends, plain, in_head, in_payload, complete;
  logic [7:0] value;

  assign ends = data_valid && data == End;
  assign plain = data_valid && data != End && (escape_q || data != Esc);
  assign value = !escape_q ? data : (data == EscEnd) ? End : Esc;
  assign in_head = head_q != 3'd4;
  assign in_payload = !in_head && count_q != length;
  assign complete = !in_head && !in_payload && tail_q == 3'd4 && crc_q == Residue && !broken_q && !escape_q;

  bvit_crc32 u_crc (.crc(crc_q), .data(value), .next(crc_d));

  always_ff @(posedge clk) begin
    if (plain) begin
      unique case (head_q)
        3'd0: kind <= value;
        3'd1: tag <= value;
        3'd2: length[7:0] <= value;
        3'd3: length[15:8] <= value;
        default: begin end
      endcase
    end
    payload <= value;
    index <= count_q;
    if (rst) begin
      payload_valid <= 1'b0;
      good <= 1'b0;
      bad <= 1'b0;
    end else begin
      payload_valid <= plain && in_payload;
      good <= ends && complete;
      // Two ENDs in a row are no packet: each packet begins and ends with one.
      bad <= ends && !complete && (head_q != '0 || broken_q || escape_q);
    end
    if (rst || ends) begin
      escape_q <= 1'b0;
      broken_q <= 1'b0;
      head_q <= '0;
      tail_q <= '0;
      count_q <= '0;
      crc_q <= '1;
    end else if (data_valid) begin
      escape_q <= !plain;
      if (escape_q && data != EscEnd && data != EscEsc) broken_q <= 1'b1;
      if (plain) begin
        crc_q <= crc_d;
        if (in_head) head_q <= head_q + 3'd1;
        else if (in_payload) count_q <= count_q + 16'd1;
        else if (tail_q != 3'd5) tail_q <= tail_q + 3'd1;
      end
    end
  end
endmodule

`default_nettype wire
