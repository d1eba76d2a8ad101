"""The border's registers by themselves, cycle by cycle; in the whole border they are asked one thing at a time."""

from __future__ import annotations

from pathlib import Path

from self_judging import judge


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
