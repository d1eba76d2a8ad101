"""Units of the border by themselves, cycle by cycle against what they promise; the registers: test_axi_lite_regs.py.

In the whole border (test_shell.py) the network behind the guard is ready before anything is offered, logits come in a
row, and TKEEP always counts.
"""

from __future__ import annotations

from pathlib import Path

from self_judging import RESET_AND_RECEIVER, judge

GUARDS = [
    {"W": w, "BEATS": beats, "DEPTH": depth, "KEEP": keep}
    for w, beats, depth in ((8, 1, 5), (16, 2, 6), (16, 3, 8), (32, 5, 10), (8, 7, 14), (64, 4, 15))
    for keep in (0, 1)
]


def test_frame_guard(tmp_path: Path) -> None:
    """Frames of any length, holes, packets and resets; a receiver that waits to be offered something, and one at rest.

    A stored frame is offered four cycles after its last beat at the latest, and from then on without a bubble. The
    buffer gets full, and not before it holds DEPTH words. Packets have few frames, or as many as the field can say.
    """
    judge("bvit_frame_guard", GUARDS, """
  logic rst = 1'b1, known = 1'b0;
  logic [W-1:0] s_data = '0, m_data, held_data = '0;
  logic [W/8-1:0] s_keep = '1;
  logic s_last = 1'b0, s_valid = 1'b0, s_ready, m_valid, m_ready = 1'b0, held = 1'b0;
  logic [15:0] packet_frames = 16'd1;
  logic start, accepted, short_, long_, packet_short;
  logic [4:0] pulses = '0;
  bvit_frame_guard #(.W(W), .BYTES(BEATS * W / 8), .DEPTH(DEPTH), .CHECK_KEEP(KEEP != 0)) u_unit (
    .clk, .rst, .s_axis_tdata(s_data), .s_axis_tkeep(s_keep), .s_axis_tlast(s_last), .s_axis_tvalid(s_valid),
    .s_axis_tready(s_ready), .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready),
    .packet_frames, .frame_start(start), .frame_accepted(accepted), .frame_short(short_), .frame_long(long_),
    .packet_short
  );
  // What is to come out with the cycle in which it was complete, and the frame that is coming in.
  logic [W-1:0] due[$], frame[$];
  int complete[$];
  int frames = 0, now = 0, pace = 0, asked;
  int stored, refused = 0;  // words that are not yet on their way out; cycles in a row without ready, but with room
  logic dropping = 1'b0, hole = 1'b0, full, ends, final_frame;
  always @(posedge clk) begin
    now <= now + 1;
    if (known) begin
      assert ({start, accepted, short_, long_, packet_short} == pulses)
      else $error("pulses %b, not %b", {start, accepted, short_, long_, packet_short}, pulses);
      if (held && !rst) assert (m_valid && m_data == held_data) else $error("an offered beat went away or changed");
      if (m_valid) assert (due.size() > 0 && m_data == due[0]) else $error("%0h comes out", m_data);
      if (due.size() > 0 && now - complete[0] > 3) assert (m_valid) else $error("a complete frame is not offered");
      assert (refused < 4) else $error("not ready with %0d of %0d words", stored, DEPTH);
      judged <= judged + 1;
    end
    known <= known || rst;
    held <= m_valid && !m_ready && !rst;
    held_data <= m_data;
    if (m_valid && m_ready && due.size() > 0) begin
      void'(due.pop_front());
      void'(complete.pop_front());
    end
    pulses <= '0;
    final_frame = frames + 1 >= 32'(packet_frames);
    if (rst) begin
      due.delete();
      complete.delete();
      frame.delete();
      frames = 0;
      dropping = 1'b0;
      hole = 1'b0;
    end else if (s_valid && s_ready && dropping) begin
      if (s_last) frames = 0;
      dropping = !s_last;
    end else if (s_valid && s_ready) begin
      frame.push_back(s_data);
      hole |= KEEP != 0 && s_keep != '1;
      full = frame.size() == BEATS;
      ends = s_last || (full && !final_frame);
      dropping = full && !ends;
      pulses <= {frame.size() == 1, ends && full && !hole, ends && !(full && !hole), dropping, s_last && !final_frame};
      if (ends && full && !hole) begin
        foreach (frame[beat]) begin
          due.push_back(frame[beat]);
          complete.push_back(now);
        end
      end
      if (ends) frames = s_last ? 0 : frames + 1;
      if (ends || full) begin
        frame.delete();
        hole = 1'b0;
      end
    end
    stored = frame.size() + (due.size() > 2 ? due.size() - 2 : 0);
    refused <= rst || s_ready || stored >= DEPTH ? 0 : refused + 1;""" + RESET_AND_RECEIVER + """
    if (!s_valid || s_ready) begin
      s_valid <= pace[2] || $urandom_range(3) == 0;
      s_data <= W'({$urandom, $urandom});
      s_keep <= $urandom_range(30) == 0 ? (W/8)'($urandom) : '1;
      final_frame = frames + 1 >= 32'(packet_frames);
      full = frame.size() == BEATS - 1 && final_frame && !dropping;
      s_last <= full ? $urandom_range(15) != 0 : $urandom_range(dropping ? 4 : 40) == 0;
      asked = $urandom_range(3);
      // It must not change in a packet, nor in the cycle before one begins.
      if (frames == 0 && frame.size() == 0 && !dropping && asked != 3) begin
        packet_frames <= asked == 2 ? {1'($urandom), 15'($urandom_range(9))} : 16'($urandom_range(3));
        s_valid <= 1'b0;
      end
    end
  end""", tmp_path, 20000)


ENDS = [
    {"BITS": bits, "CLASSES": classes, "W": w, "STALL": stall}
    for bits, classes, w, stall in ((2, 1, 8, 1), (5, 2, 8, 3), (24, 10, 32, 7), (8, 3, 8, 16), (12, 5, 16, 20))
]


def test_logits_out(tmp_path: Path) -> None:
    """Logits with gaps between, the last one late as well; short and long packets, stalls and resets."""
    judge("bvit_logits_out", ENDS, """
  logic rst = 1'b1, known = 1'b0;
  logic [BITS-1:0] s_data = '0;
  logic s_valid = 1'b0, s_ready, m_last, m_valid, m_ready = 1'b0, held = 1'b0, done, stalled, wanted_done = 1'b0;
  logic [W-1:0] m_data, held_data = '0;
  logic [W/8-1:0] m_keep;
  logic [15:0] packet_frames = 16'd1;
  bvit_logits_out #(.BITS(BITS), .CLASSES(CLASSES), .W(W), .STALL_CYCLES(STALL)) u_unit (
    .clk, .rst, .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready),
    .m_axis_tdata(m_data), .m_axis_tkeep(m_keep), .m_axis_tlast(m_last), .m_axis_tvalid(m_valid),
    .m_axis_tready(m_ready), .packet_frames, .frame_done(done), .output_stalled(stalled)
  );
  // Data, whether the frame ends, whether the packet does, and since when each is inside.
  logic [W+1:0] due[$];
  int since[$];
  int class_ = 0, frames = 0, waited = 0, now = 0, pace = 0;
  logic frame_ends, packet_ends;
  always @(posedge clk) begin
    now <= now + 1;
    if (known) begin
      assert (done == wanted_done) else $error("frame_done is %b", done);
      assert (stalled == (waited >= STALL)) else $error("output_stalled is %b after %0d cycles", stalled, waited);
      assert (m_keep == '1) else $error("TKEEP %b", m_keep);
      if (held && !rst) assert (m_valid && m_data == held_data) else $error("an offered logit went away or changed");
      if (m_valid) assert (due.size() > 0 && {m_data, m_last} == {due[0][W+1:2], due[0][0]})
        else $error("%0h comes out, TLAST %b", m_data, m_last);
      if (due.size() > 0 && now > since[0]) assert (m_valid) else $error("a logit is not offered");
      judged <= judged + 1;
    end
    known <= known || rst;
    held <= m_valid && !m_ready && !rst;
    held_data <= m_data;
    wanted_done <= !rst && m_valid && m_ready && due.size() > 0 && due[0][1];
    waited <= rst || !m_valid || m_ready ? 0 : waited + 1;
    if (m_valid && m_ready && due.size() > 0) begin
      void'(due.pop_front());
      void'(since.pop_front());
    end
    if (rst) begin
      due.delete();
      since.delete();
      class_ = 0;
      frames = 0;
    end else if (s_valid && s_ready) begin
      frame_ends = class_ == CLASSES - 1;
      packet_ends = frame_ends && frames + 1 >= 32'(packet_frames);
      due.push_back({W'(signed'(s_data)), frame_ends, packet_ends});
      since.push_back(now);
      class_ = frame_ends ? 0 : class_ + 1;
      if (frame_ends) frames = packet_ends ? 0 : frames + 1;
    end""" + RESET_AND_RECEIVER + """
    if (!s_valid || s_ready) begin
      s_valid <= pace[2] || $urandom_range(3) == 0;
      s_data <= BITS'($urandom);
      if (class_ == 0 && frames == 0) packet_frames <= 16'($urandom_range($urandom_range(9) == 0 ? 40 : 3));
    end
  end""", tmp_path, 20000, needed=["bvit_fifo.sv"])


def test_reset_chain(tmp_path: Path) -> None:
    """The kernels behind answer when they like, or leave reset again, and requests come at any time."""
    judge("bvit_reset_chain", [{"HOLD": hold} for hold in (1, 2, 5, 8, 64)], """
  logic rst = 1'b1, known = 1'b0, request = 1'b0, held = 1'b0, hold, datapath_rst;
  bvit_reset_chain #(.HOLD(HOLD)) u_unit (.clk, .rst, .request, .hold, .held, .datapath_rst);
  logic want_hold = 1'b1, busy = 1'b1, steady = 1'b0;
  int together = 0, pace = 0;
  always @(posedge clk) begin
    if (known) begin
      assert (hold == want_hold) else $error("hold is %b after %0d cycles in reset", hold, together);
      assert (datapath_rst == (request || busy)) else $error("datapath_rst is %b", datapath_rst);
      judged <= judged + 1;
    end
    known <= known || rst;
    // All are in reset for HOLD cycles in a row, whoever leaves it begins them anew; the first goes on last.
    if (rst || request) begin
      want_hold = 1'b1;
      busy = 1'b1;
      together = 0;
    end else if (want_hold) begin
      together = held ? together + 1 : 0;
      want_hold = together <= HOLD;
    end else if (!held) begin
      busy = 1'b0;
    end
    rst <= $urandom_range(900) == 0 || (rst && $urandom_range(1) == 0);
    request <= $urandom_range(3 * HOLD + 20) == 0 || (request && $urandom_range(2) == 0);
    if ($urandom_range(4 * HOLD) == 0) pace <= $urandom_range(3);
    case (pace)
      0: held <= $urandom_range(2) == 0 ? want_hold : held;
      1: held <= $urandom_range(2 * HOLD) != 0;
      2: held <= 1'b1;
      default: held <= $urandom_range(1) == 0;
    endcase
  end""", tmp_path, 20000)


def test_entry_register(tmp_path: Path) -> None:
    """Full rate; a beat is on offer in the next cycle. While it drains, nothing is on offer, and what comes goes."""
    judge("bvit_entry_register", [{"W": w} for w in (1, 8, 33)], """
  logic rst = 1'b1, known = 1'b0, new_ = 1'b1, drain = 1'b0;
  logic [W-1:0] s_data = '0, m_data;
  logic s_valid = 1'b0, s_ready, m_valid, m_ready = 1'b0;
  bvit_entry_register #(.W(W)) u_unit (
    .clk, .rst, .drain, .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready),
    .m_axis_tdata(m_data), .m_axis_tvalid(m_valid), .m_axis_tready(m_ready)
  );
  logic [W-1:0] due[$];
  int pace = 0;
  always @(posedge clk) begin
    if (known && !rst) begin
      assert (s_ready == (due.size() < 2 && !new_)) else $error("ready is %b with %0d beats", s_ready, due.size());
      assert (m_valid == (due.size() > 0 && !drain)) else $error("valid is %b with %0d beats", m_valid, due.size());
      if (m_valid && due.size() > 0) assert (m_data == due[0]) else $error("%0h comes out, not %0h", m_data, due[0]);
      judged <= judged + 1;
    end
    known <= known || rst;
    new_ <= rst;
    if ((m_ready || drain) && due.size() > 0) void'(due.pop_front());
    if (s_valid && s_ready) due.push_back(s_data);
    if (rst) due.delete();
    if ($urandom_range(30) == 0) drain <= $urandom_range(2) == 0;""" + RESET_AND_RECEIVER + """
    if (!s_valid || s_ready) begin
      s_valid <= pace[2] || $urandom_range(3) == 0;
      s_data <= W'({$urandom, $urandom});
    end
  end""", tmp_path, 10000, needed=["bvit_fifo.sv"])
