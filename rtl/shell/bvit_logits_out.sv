// The accelerator's exit: one logit a beat in, sign-extended out, TLAST on the last logit of every
// packet_frames frames (0 means 1; must not change while a frame is on its way out).
//
// Full rate, latency 1; every output comes from a register.
`default_nettype none

module bvit_logits_out #(
  parameter int BITS = 24,             // of a logit, two's complement
  parameter int CLASSES = 10,
  parameter int W = 32,                // width of the output's tdata in bits, whole bytes
  parameter int STALL_CYCLES = 65536   // a beat that waits so long is reported
) (
  input  wire logic            clk,
  input  wire logic            rst,
  input  wire logic [BITS-1:0] s_axis_tdata,
  input  wire logic            s_axis_tvalid,
  output logic                 s_axis_tready,
  output logic [W-1:0]         m_axis_tdata,
  output logic [W/8-1:0]       m_axis_tkeep,
  output logic                 m_axis_tlast,
  output logic                 m_axis_tvalid,
  input  wire logic            m_axis_tready,
  input  wire logic [15:0]     packet_frames,  // frames that a packet holds
  output logic                 frame_done,     // for a cycle: a frame's last class was taken
  output logic                 output_stalled  // a beat has waited for STALL_CYCLES
);
  if (BITS < 2 || W < BITS || W % 8 != 0) begin : gen_bad_width
    $error("bvit_logits_out: W must be whole bytes and hold BITS, BITS at least 2");
  end
  if (CLASSES < 1 || STALL_CYCLES < 1) begin : gen_bad_classes
    $error("bvit_logits_out: CLASSES and STALL_CYCLES must be at least 1");
  end

  localparam int ClassW = $clog2(CLASSES + 1);
  localparam int StallW = $clog2(STALL_CYCLES + 1);

  logic [ClassW-1:0] class_q;
  logic [15:0] frame_q;  // frames of the current packet so far
  logic last_class, last_frame;
  assign last_class = class_q == ClassW'(CLASSES - 1);
  assign last_frame = 17'(frame_q) + 17'd1 >= 17'(packet_frames);
  always_ff @(posedge clk) begin
    if (rst) begin
      class_q <= '0;
      frame_q <= '0;
    end else if (s_axis_tvalid && s_axis_tready) begin
      class_q <= last_class ? '0 : class_q + 1'b1;
      if (last_class) frame_q <= last_frame ? '0 : frame_q + 1'b1;
    end
  end

  logic frame_end;
  logic [BITS-1:0] logit;
  bvit_fifo #(.W(BITS + 2), .DEPTH(2)) u_fifo (
    .clk, .rst,
    .s_axis_tdata({last_class && last_frame, last_class, s_axis_tdata}), .s_axis_tvalid, .s_axis_tready,
    .m_axis_tdata({m_axis_tlast, frame_end, logit}), .m_axis_tvalid, .m_axis_tready
  );
  assign m_axis_tdata = W'(signed'(logit));
  assign m_axis_tkeep = '1;

  logic [StallW-1:0] stall_q;
  assign output_stalled = stall_q == StallW'(STALL_CYCLES);
  always_ff @(posedge clk) begin
    if (rst) begin
      stall_q <= '0;
      frame_done <= 1'b0;
    end else begin
      if (!m_axis_tvalid || m_axis_tready) stall_q <= '0;
      else if (!output_stalled) stall_q <= stall_q + 1'b1;
      frame_done <= m_axis_tvalid && m_axis_tready && frame_end;
    end
  end
endmodule

`default_nettype wire
