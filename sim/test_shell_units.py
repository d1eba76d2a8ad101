"""Units of the border by themselves, cycle by cycle against what they promise.

In the whole border (test_shell.py) the network behind the guard is ready before anything is offered, logits come in a
row, TKEEP always counts, and the registers are asked one thing at a time.
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


def test_registers(tmp_path: Path) -> None:
    """Reads and writes at the same time, whole or in bytes, and what happens meanwhile, resets and clears among it.

    An answer is there two cycles after address and data at the latest; it waits, and the next transfer waits for it.
    """
    judge("bvit_axi_lite_regs", [{"RESET_CYCLES": cycles} for cycles in (1, 3, 16)], """
  localparam int MAGIC = 'h00, CONTROL = 'h34, FLAGS = 'h38, IN = 'h3C, OUT = 'h40, DROPPED = 'h44, LOW = 'h48;
  localparam int INTERVAL = 'h50, LATENCY = 'h54, PACKET = 'h58;
  logic rst = 1'b1, known = 1'b0;
  logic [11:0] awaddr = '0, araddr = '0;
  logic [31:0] wdata = '0, rdata;
  logic [3:0] wstrb = '0;
  logic awvalid = 1'b0, awready, wvalid = 1'b0, wready, bvalid, bready = 1'b0;
  logic arvalid = 1'b0, arready, rvalid, rready = 1'b0;
  logic [1:0] bresp, rresp;
  logic datapath_rst, start, accepted, short_, long_, packet_short, done, stalled;
  logic [15:0] packet_frames;
  logic [6:0] event_ = '0;
  // What comes out of the datapath is low while that is in reset.
  assign {stalled, packet_short, start, accepted, short_, long_, done} = event_ & {7{!datapath_rst}};
  bvit_axi_lite_regs #(.RESET_CYCLES(RESET_CYCLES)) u_unit (
    .clk, .rst, .s_axi_awaddr(awaddr), .s_axi_awprot('0), .s_axi_awvalid(awvalid), .s_axi_awready(awready),
    .s_axi_wdata(wdata), .s_axi_wstrb(wstrb), .s_axi_wvalid(wvalid), .s_axi_wready(wready),
    .s_axi_bresp(bresp), .s_axi_bvalid(bvalid), .s_axi_bready(bready),
    .s_axi_araddr(araddr), .s_axi_arprot('0), .s_axi_arvalid(arvalid), .s_axi_arready(arready),
    .s_axi_rdata(rdata), .s_axi_rresp(rresp), .s_axi_rvalid(rvalid), .s_axi_rready(rready),
    .datapath_rst, .packet_frames, .frame_start(start), .frame_accepted(accepted), .frame_short(short_),
    .frame_long(long_), .packet_short, .frame_done(done), .output_stalled(stalled)
  );
  // Which registers a read or a write is of, by a number; of some there are others beside them.
  function automatic logic [11:0] place(input int number);
    case (number)
      0: return 12'(CONTROL);
      1: return 12'(FLAGS);
      2: return 12'(IN);
      3: return 12'(OUT);
      4: return 12'(DROPPED);
      5: return 12'(LOW);
      6: return 12'(INTERVAL);
      7: return 12'(LATENCY);
      8: return 12'(PACKET);
      9: return 12'(MAGIC);
      default: return 12'('h800 | CONTROL);
    endcase
  endfunction
  // The registers as they are to be in this cycle.
  logic [31:0] in_ = '0, out_ = '0, dropped = '0, cycle_ = '0, interval_ = '0, latency = '0, due, expected = '0;
  logic [15:0] packet = 16'd1;
  logic [3:0] flags = '0;
  logic clear = 1'b1, resetting, was_reset = 1'b1, owed_b = 1'b0, owed_r = 1'b0, write, read;
  int left = 0, pace = 0, waits_b = 0, waits_r = 0;
  // Frames inside: when each began, -1 for one that is not watched. The one that comes in, and whether one is watched.
  int begun[$];
  int coming = -1, done_at = -1, first;
  logic watching = 1'b0, watched_before, inside_frame = 1'b0;
  always @(posedge clk) begin
    write = awvalid && awready;
    read = arvalid && arready;
    resetting = left != 0;
    if (known) begin
      assert (datapath_rst == was_reset) else $error("datapath_rst is %b with %0d cycles left", datapath_rst, left);
      assert (packet_frames == packet) else $error("packet_frames is %0d, not %0d", packet_frames, packet);
      if (!rst) begin
        assert (awready == wready && (!awready || (awvalid && wvalid))) else $error("address and data apart");
        assert (bvalid == owed_b && rvalid == owed_r) else $error("answers %b", {bvalid, rvalid});
        assert (!(write && owed_b) && !(read && owed_r)) else $error("a transfer before the last one is answered");
        assert (waits_b < 3 && waits_r < 3) else $error("a transfer is not taken");
        if (rvalid) assert (rdata == expected && rresp == '0) else $error("read %0h, not %0h", rdata, expected);
        if (bvalid) assert (bresp == '0) else $error("answer %b", bresp);
      end
      judged <= judged + 1;
    end
    known <= known || rst;
    waits_b <= rst || !(awvalid && wvalid) || awready || owed_b ? 0 : waits_b + 1;
    waits_r <= rst || !arvalid || arready || owed_r ? 0 : waits_r + 1;
    case (32'(araddr))
      CONTROL: due = 32'(resetting);
      FLAGS: due = 32'(flags);
      IN: due = in_;
      OUT: due = out_;
      DROPPED: due = dropped;
      LOW: due = cycle_;
      INTERVAL: due = interval_;
      LATENCY: due = latency;
      PACKET: due = 32'(packet);
      MAGIC: due = 32'h42564954;
      default: due = '0;
    endcase
    if (read) expected <= due;
    owed_b <= !rst && (write || (owed_b && !bready));
    owed_r <= !rst && (read || (owed_r && !rready));

    // Frames: the interval is between two ends, the latency of one frame at a time, from its first beat on.
    watched_before = watching;
    if (done && !clear && done_at >= 0) interval_ = cycle_ - 32'(done_at);
    if (done) begin
      first = begun.pop_front();
      if (first >= 0) begin
        if (!clear) latency = cycle_ - 32'(first);
        watching = 1'b0;
      end
      done_at = int'(cycle_);
    end
    if (start) inside_frame = 1'b1;
    if (start && !watched_before) begin
      watching = 1'b1;
      coming = int'(cycle_);
    end
    if (accepted || short_ || long_) inside_frame = 1'b0;
    if (accepted) begun.push_back(coming);
    if ((short_ || long_) && coming >= 0) watching = 1'b0;
    if (accepted || short_ || long_) coming = -1;
    if (clear || datapath_rst) begin
      watching = 1'b0;
      coming = -1;
      done_at = -1;
      foreach (begun[i]) begun[i] = -1;
    end
    if (datapath_rst) begin
      begun.delete();
      inside_frame = 1'b0;
    end

    if (clear) {flags, in_, out_, dropped, cycle_, interval_, latency} = '0;
    else begin
      flags |= {packet_short, stalled, long_, short_};
      in_ += 32'(accepted);
      out_ += 32'(done);
      dropped += 32'(short_ || long_);
      cycle_ += 1;
    end
    if (rst || left == RESET_CYCLES) packet = 16'd1;
    else if (write && awaddr == 12'(PACKET)) begin
      if (wstrb[0]) packet[7:0] = wdata[7:0];
      if (wstrb[1]) packet[15:8] = wdata[15:8];
    end
    was_reset = rst || resetting;
    clear = rst || (write && awaddr == 12'(CONTROL) && wstrb[0] && wdata[1]) || (clear && resetting);
    if (rst) left = 0;
    else if (write && awaddr == 12'(CONTROL) && wstrb[0] && wdata[0]) left = RESET_CYCLES;
    else if (resetting) left = left - 1;

    // What comes next. Answers are taken at once, rarely, or only once they are there.
    if ($urandom_range(60) == 0) pace <= $urandom_range(31);
    rst <= $urandom_range(2000) == 0;
    bready <= pace[1:0] == 0 || (pace[1:0] == 1 ? $urandom_range(3) == 0 : bvalid && !bready);
    rready <= pace[3:2] == 0 || (pace[3:2] == 1 ? $urandom_range(3) == 0 : rvalid && !rready);
    if (!awvalid || awready || rst) begin
      awvalid <= !rst && (pace[4] || $urandom_range(7) == 0);
      awaddr <= place($urandom_range(3) == 0 ? 8 : $urandom_range(left != 0 ? 3 : 40) == 0 ? 0 : 1 + $urandom_range(9));
    end
    if (!wvalid || wready || rst) begin
      wvalid <= !rst && (pace[4] || $urandom_range(7) == 0);
      wdata <= $urandom;
      wstrb <= 4'($urandom);
    end
    if (!arvalid || arready || rst) begin
      arvalid <= !rst && (pace[4] || $urandom_range(7) == 0);
      araddr <= place($urandom_range(10));
    end
    // A frame begins, and ends later or in the same cycle; what is inside comes out in order.
    event_ <= '0;
    event_[6] <= $urandom_range(50) == 0;
    event_[5] <= $urandom_range(50) == 0;
    if (!rst && left == 0 && !was_reset) begin
      if (!inside_frame && $urandom_range(5) == 0) begin
        event_[4] <= 1'b1;
        if ($urandom_range(3) == 0) event_[3:1] <= 3'(1 << $urandom_range(2));
      end else if (inside_frame && $urandom_range(5) == 0) event_[3:1] <= 3'(1 << $urandom_range(2));
      if (begun.size() > 0 && $urandom_range(9) == 0) event_[0] <= 1'b1;
    end
  end""", tmp_path, 20000, needed=["bvit_registers_pkg.sv"])
