"""The replay buffer by itself, cycle by cycle against what it promises, at shapes that no operator has as well."""

from __future__ import annotations

from pathlib import Path

from self_judging import judge

SHAPES = [
    (beats, chunks, inner, outer)
    for beats, chunks in ((1, 1), (3, 1), (4, 1), (2, 3), (1, 4), (3, 2))
    for inner, outer in ((1, 1), (1, 3), (2, 1), (3, 2), (1, 4))
]
REPLAYS = [
    {
        "WIDTH": 9, "BEATS": beats, "CHUNKS": chunks, "INNER": inner, "OUTER": outer,
        "BLOCK": number % 3 == 0, "ADDER": number % 4 > 1, "SHORT": short, "STORE": 1,
    }
    for short in (0, 1)
    for number, (beats, chunks, inner, outer) in enumerate(SHAPES)
] + [
    {
        "WIDTH": 4, "BEATS": beats, "CHUNKS": chunks, "INNER": 1, "OUTER": 1,
        "BLOCK": 0, "ADDER": 0, "SHORT": 0, "STORE": 0,
    }
    for beats, chunks in ((1, 1), (3, 2))
]  # fmt: skip


def test_replay(tmp_path: Path) -> None:
    """Which beat is shown, when, as which; what is taken, when. Beats are offered in reset as well."""
    judge("bvit_replay", [{name: int(value) for name, value in given.items()} for given in REPLAYS], """
  localparam int GROUP = CHUNKS * BEATS;
  localparam int RUN = (INNER == 1) ? GROUP : BEATS;
  localparam int PLAYED = OUTER * GROUP;
  localparam int ADDR_BITS = (PLAYED > 1) ? $clog2(PLAYED) : 1;
  logic rst = 1'b1, known = 1'b0, en = 1'b0, s_valid = 1'b0, s_ready, valid, first, last;
  logic [WIDTH-1:0] s_data = '0, x;
  logic [ADDR_BITS-1:0] addr;
  bvit_replay #(
    .WIDTH(WIDTH), .BEATS(BEATS), .CHUNKS(CHUNKS), .INNER(INNER), .OUTER(OUTER), .BLOCK(BLOCK != 0),
    .ADDER(ADDER != 0), .SHORT(SHORT != 0), .STORE(STORE != 0)
  ) u_unit (
    .clk, .rst, .en, .s_axis_tdata(s_data), .s_axis_tvalid(s_valid), .s_axis_tready(s_ready), .addr, .x, .valid,
    .first, .last
  );
  // Beats of the group that is shown and of later ones, with the cycles in which they came; where showing is.
  logic [WIDTH-1:0] beats[$];
  int came[$];
  int used = 0, now = 0, pace = 0, beat = 0, inner = 0, chunk = 0, outer = 0, source;
  logic was_reset = 1'b1, there, wanted_valid = 1'b0, wanted_first = 1'b0, wanted_last = 1'b0;
  logic [WIDTH-1:0] wanted_x = '0;
  always @(posedge clk) begin
    now <= now + 1;
    source = chunk * RUN + beat;
    if (known) begin
      assert (valid == wanted_valid) else $error("valid is %b", valid);
      if (valid) assert (x == wanted_x && first == wanted_first && last == wanted_last)
        else $error("%0h first %b last %b, not %0h %b %b", x, first, last, wanted_x, wanted_first, wanted_last);
      assert (s_ready == (STORE == 0 ? en : used < 2 * GROUP && !(SHORT != 0 && was_reset)))
        else $error("ready is %b with %0d beats inside", s_ready, used);
      if (INNER == 1) assert (addr == ADDR_BITS'(outer * GROUP + source)) else $error("addr is %0d", addr);
      judged <= judged + 1;
    end
    known <= known || rst;
    was_reset <= rst;
    if (rst) begin
      beats.delete();
      came.delete();
      used = 0;
      beat = 0;
      inner = 0;
      chunk = 0;
      outer = 0;
      wanted_valid <= 1'b0;
    end else begin
      if (STORE == 0 && s_valid && s_ready) begin
        beats.push_back(s_data);
        came.push_back(now - 1);
      end
      there = came.size() > source && came[source] < now;
      if (en) begin
        wanted_valid <= there;
        wanted_x <= there ? beats[source] : '0;
        wanted_first <= beat == 0;
        wanted_last <= beat == RUN - 1;
      end
      if (STORE != 0 && s_valid && s_ready) begin
        beats.push_back(s_data);
        came.push_back(now);
        used++;
      end
      if (en && there) begin
        if (STORE != 0 && inner == INNER - 1 && outer == OUTER - 1) used--;
        beat++;
        if (beat == RUN) begin
          beat = 0;
          inner++;
        end
        if (inner == INNER) begin
          inner = 0;
          chunk++;
        end
        if (chunk == GROUP / RUN) begin
          chunk = 0;
          outer++;
        end
        if (outer == OUTER) begin
          outer = 0;
          repeat (GROUP) begin
            void'(beats.pop_front());
            void'(came.pop_front());
          end
        end
      end
    end
    if ($urandom_range(40) == 0) pace <= $urandom_range(15);
    rst <= $urandom_range(300) == 0 || (rst && $urandom_range(1) == 0);
    en <= pace[0] || $urandom_range(3) == 0;
    if (!s_valid || s_ready) begin
      s_valid <= pace[1] || $urandom_range(3) == 0;
      s_data <= WIDTH'($urandom);
    end
  end""", tmp_path, 8000, needed=["bvit_loop_counter.sv", "bvit_ram.sv"])
