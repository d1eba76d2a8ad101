// The accelerator's entrance: AXI-Stream with TLAST in, whole and well-formed frames out.
//
// A frame is BYTES bytes, a packet (what TLAST ends) packet_frames frames. A frame that TLAST ends
// too early, or the last of a packet that does not end with it, is dropped whole and reported; the
// next one is taken again. TLAST begins a new packet wherever it comes; on the last beat of a frame
// before the packet's last it costs no frame, but is reported. packet_frames (0 means 1) must not
// change while a packet is under way, nor in the cycle before it begins.
//
// Frames are stored in block RAM and forwarded once they are complete: full rate with DEPTH of two
// frames; with less (from a frame and 4 beats on) a source in bursts may wait. Latency of a frame's
// first beat: its whole length + 4. All outputs come from registers. After a reset in mid-frame the
// rest of that frame counts as a frame of its own, normally a short one.
`default_nettype none

module bvit_frame_guard #(
  parameter int W = 64,                        // width of tdata in bits, whole bytes
  parameter int BYTES = 3072,                  // bytes of a frame, whole beats
  parameter int DEPTH = 2 * BYTES / (W / 8),   // beats that the buffer holds
  parameter bit CHECK_KEEP = 1'b1              // 1: a byte that TKEEP leaves out makes a frame too short
) (
  input  wire logic           clk,
  input  wire logic           rst,
  input  wire logic [W-1:0]   s_axis_tdata,
  input  wire logic [W/8-1:0] s_axis_tkeep,
  input  wire logic           s_axis_tlast,
  input  wire logic           s_axis_tvalid,
  output logic                s_axis_tready,
  output logic [W-1:0]        m_axis_tdata,
  output logic                m_axis_tvalid,
  input  wire logic           m_axis_tready,
  input  wire logic [15:0]    packet_frames,   // frames that a packet holds
  output logic                frame_start,     // for a cycle: the first beat of a frame was taken
  output logic                frame_accepted,  // for a cycle: a frame was complete and goes on
  output logic                frame_short,     // for a cycle: a frame was too short and is dropped
  output logic                frame_long,      // for a cycle: a frame was too long and is dropped
  output logic                packet_short     // for a cycle: TLAST came before a packet's last frame
);
  localparam int Beats = BYTES / (W / 8);
  localparam int Size = DEPTH + 1;  // one word stays free, so that equal pointers mean empty
  localparam int AddrW = $clog2(Size);
  localparam int BeatW = $clog2(Beats + 1);
  localparam int UsedW = $clog2(Size + 1);

  if (W < 8 || W % 8 != 0) begin : gen_bad_width
    $error("bvit_frame_guard: W must be whole bytes");
  end
  if (BYTES < 1 || BYTES % (W / 8) != 0) begin : gen_bad_bytes
    $error("bvit_frame_guard: BYTES must be a multiple of W / 8");
  end
  if (DEPTH < BYTES / (W / 8) + 4) begin : gen_bad_depth
    $error("bvit_frame_guard: DEPTH must be at least a frame's beats and 4");
  end

  // Writing: at write_q, from commit_q on not yet visible to the reader.
  logic [AddrW-1:0] write_q, commit_q, read_q, write_next;
  logic [UsedW-1:0] used_d, used_q;  // words taken, committed or not
  logic [BeatW-1:0] beat_q;          // beats of the current frame so far
  logic [BeatW-1:0] before_q;        // the same the cycle before
  logic back_q;                      // then a frame was dropped, and with it so many words
  logic [15:0] frame_q;              // frames of the current packet so far
  logic ready_q, drop_q, hole_q;
  logic full_q, final_q;             // the frame lacks a beat; it is its packet's last
  logic take, counts, hole, ends, whole, spoilt, accept, too_short, too_long;
  logic rollback, write, read;

  assign s_axis_tready = ready_q;
  assign take = s_axis_tvalid && ready_q;
  assign hole = hole_q || (CHECK_KEEP && !(&s_axis_tkeep));
  // The last frame of a packet ends with TLAST, the others by their length.
  assign ends = s_axis_tlast || (full_q && !final_q);
  assign counts = take && !drop_q;
  assign whole = full_q && !hole;
  assign spoilt = ends ? !whole : full_q;  // the frame, by this beat
  assign accept = counts && ends && whole;
  assign too_short = counts && ends && !whole;
  assign too_long = counts && !ends && full_q;
  assign rollback = counts && spoilt;
  assign write = counts && !spoilt;
  assign write_next = (write_q == AddrW'(Size - 1)) ? '0 : write_q + 1'b1;
  assign used_d = used_q + UsedW'(write) - UsedW'(read) - (back_q ? UsedW'(before_q) : '0);

  always_ff @(posedge clk) begin
    if (rst) begin
      write_q <= '0;
      commit_q <= '0;
      used_q <= '0;
      back_q <= 1'b0;
      beat_q <= '0;
      frame_q <= '0;
      ready_q <= 1'b0;
      full_q <= Beats == 1;
      drop_q <= 1'b0;
      hole_q <= 1'b0;
      frame_start <= 1'b0;
      frame_accepted <= 1'b0;
      frame_short <= 1'b0;
      frame_long <= 1'b0;
      packet_short <= 1'b0;
    end else begin
      used_q <= used_d;
      // Words that are dropped are given back a cycle later, and ready is told a cycle late of a word that is read: so
      // what moves in this cycle reaches it through no sum.
      back_q <= rollback;
      ready_q <= used_q < UsedW'(DEPTH - 1) || (used_q == UsedW'(DEPTH - 1) && !take);
      if (rollback) write_q <= commit_q;
      else if (write) write_q <= write_next;
      if (accept) commit_q <= write_next;
      if (counts) begin
        beat_q <= (s_axis_tlast || full_q) ? '0 : beat_q + 1'b1;
        full_q <= (s_axis_tlast || full_q) ? Beats == 1 : beat_q == BeatW'(Beats - 2);
        hole_q <= hole && !s_axis_tlast && !full_q;
      end
      if (take && s_axis_tlast) frame_q <= '0;
      else if (counts && ends) frame_q <= frame_q + 1'b1;
      if (too_long) drop_q <= 1'b1;
      else if (take && s_axis_tlast) drop_q <= 1'b0;
      frame_start <= counts && beat_q == '0;
      frame_accepted <= accept;
      frame_short <= too_short;
      frame_long <= too_long;
      packet_short <= counts && s_axis_tlast && !final_q;
    end
  end

  // Which frame the next beat is of is known last: so all that it may be are compared. Nothing is taken in the cycle
  // after a reset.
  logic [16:0] left;  // frames of the packet that are left, negative when packet_frames is 0
  logic few;
  assign left = 17'(packet_frames) - 17'(frame_q);
  assign few = left[15:2] == '0;
  always_ff @(posedge clk) begin
    before_q <= beat_q;
    if (take && s_axis_tlast) final_q <= packet_frames <= 16'd1;
    else if (counts && ends) final_q <= left[16] || (few && left[1:0] != 2'd3);
    else final_q <= left[16] || (few && !left[1]);
  end

  // Reading: the block RAM's latch, then its output register.
  (* ram_style = "block" *)
  logic [W-1:0] mem[Size];
  logic [W-1:0] latch_q, out_q;
  logic latch_valid_q, valid_q, free;
  assign free = !valid_q || m_axis_tready;
  assign read = (read_q != commit_q) && (!latch_valid_q || free);
  assign m_axis_tdata = out_q;
  assign m_axis_tvalid = valid_q;

  always_ff @(posedge clk) begin
    if (rst) begin
      read_q <= '0;
      latch_valid_q <= 1'b0;
      valid_q <= 1'b0;
    end else begin
      if (read) read_q <= (read_q == AddrW'(Size - 1)) ? '0 : read_q + 1'b1;
      if (free) valid_q <= latch_valid_q;
      if (read) latch_valid_q <= 1'b1;
      else if (free) latch_valid_q <= 1'b0;
    end
  end

  always_ff @(posedge clk) begin
    if (write) mem[write_q] <= s_axis_tdata;
    if (read) latch_q <= mem[read_q];
    if (free) out_q <= latch_q;
  end

  wire unused = &{1'b0, s_axis_tkeep};
endmodule

`default_nettype wire
