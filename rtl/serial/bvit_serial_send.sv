// One packet at a time to a serial line (docs/serial.md): the counterpart of bvit_serial_receive.
//
// `start` takes kind, tag and length; then as many bytes are taken from the stream as length says. `cut`
// ends the packet where it is, so that whoever receives it forgets it. Ready is combinational.
`default_nettype none

module bvit_serial_send (
  input  wire logic        clk,
  input  wire logic        rst,
  input  wire logic        start,          // while idle
  input  wire logic        cut,
  input  wire logic [7:0]  kind,           // these three are taken with start
  input  wire logic [7:0]  tag,
  input  wire logic [15:0] length,
  output logic             idle,
  input  wire logic [7:0]  s_axis_tdata,
  input  wire logic        s_axis_tvalid,
  output logic             s_axis_tready,
  output logic [7:0]       m_axis_tdata,
  output logic             m_axis_tvalid,
  input  wire logic        m_axis_tready
);
  localparam logic [7:0] End = 8'hC0;
  localparam logic [7:0] Esc = 8'hDB;

  typedef enum logic [2:0] {Idle, Begin, Head, Payload, Crc, Finish} state_e;
  state_e state_q;
  logic [1:0] index_q;   // of the byte in header or CRC
  logic [15:0] left_q;   // bytes of the payload
  logic [31:0] head_q, crc_q, crc_d;
  logic escaped_q;       // ESC has gone out, and what it stands for comes now
  logic [7:0] value;
  logic there, special, take, moves;

  assign idle = state_q == Idle;
  assign there = (state_q == Head) || (state_q == Crc) || (state_q == Payload && s_axis_tvalid);
  always_comb begin
    unique case (state_q)
      Head: value = head_q[8*index_q+:8];
      Crc: value = ~crc_q[7:0];
      default: value = s_axis_tdata;
    endcase
  end
  assign special = value == End || value == Esc;

  // A byte goes into the register in front of the line; of a special one the escape does first.
  assign take = !m_axis_tvalid || m_axis_tready;
  assign moves = take && there && (!special || escaped_q);
  assign s_axis_tready = moves && state_q == Payload;

  bvit_crc32 u_crc (.crc(crc_q), .data(value), .next(crc_d));

  always_ff @(posedge clk) begin
    if (take) begin
      if (!there) m_axis_tdata <= End;
      else if (!special) m_axis_tdata <= value;
      else if (!escaped_q) m_axis_tdata <= Esc;
      else m_axis_tdata <= (value == End) ? 8'hDC : 8'hDD;
    end
    if (state_q == Begin) crc_q <= '1;
    else if (moves && state_q == Crc) crc_q <= {8'hFF, crc_q[31:8]};
    else if (moves) crc_q <= crc_d;
    if (rst) begin
      state_q <= Idle;
      m_axis_tvalid <= 1'b0;
      escaped_q <= 1'b0;
      index_q <= '0;
    end else begin
      if (take) begin
        m_axis_tvalid <= there || state_q == Begin || state_q == Finish;
        escaped_q <= there && special && !escaped_q;
      end
      if (moves) index_q <= (state_q == Payload) ? '0 : index_q + 2'd1;
      unique case (state_q)
        Idle: if (start) state_q <= Begin;
        Begin: if (take) state_q <= Head;
        Head: if (moves && index_q == 2'd3) state_q <= (left_q == '0) ? Crc : Payload;
        Payload: if (moves && left_q == 16'd1) state_q <= Crc;
        Crc: if (moves && index_q == 2'd3) state_q <= Finish;
        default: if (take) state_q <= Idle;
      endcase
      if (cut && state_q != Idle) begin
        state_q <= Finish;
        escaped_q <= 1'b0;
        index_q <= '0;
      end
    end
    if (start && idle) begin
      head_q <= {length, tag, kind};
      left_q <= length;
    end else if (moves && state_q == Payload) begin
      left_q <= left_q - 16'd1;
    end
  end
endmodule

`default_nettype wire
