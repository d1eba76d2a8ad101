"""Primitives without a stream, against what they promise, at every border of their parameters.

In operators they meet few parameters and hardly ever an extreme value.
"""

from __future__ import annotations

from pathlib import Path

from self_judging import judge


def test_saturate(tmp_path: Path) -> None:
    """All inputs: the nearest number that the output can be."""
    shapes = [(8, 0, 4), (8, 2, 4), (8, 0, 8), (8, 1, 1), (6, 3, 8), (4, 5, 4), (4, 4, 4), (10, 3, 6), (2, 0, 1)]
    judge("bvit_saturate", [{"IN": i, "SHIFT": s, "OUT": o} for i, s, o in shapes], """
  localparam int HIGH = (1 << (OUT - 1)) - 1;
  logic signed [IN-1:0] x = '0;
  logic signed [OUT-1:0] y;
  int below, nearest;
  bvit_saturate #(.IN_BITS(IN), .SHIFT(SHIFT), .OUT_BITS(OUT)) u_leaf (.x, .y);
  always_comb begin
    below = 32'(x) >>> SHIFT;
    nearest = below > HIGH ? HIGH : below < -HIGH - 1 ? -HIGH - 1 : below;
  end
  always @(posedge clk) begin
    assert (32'(y) == nearest) else $error("%0d gives %0d, not %0d", x, y, nearest);
    judged <= judged + 1;
    x <= x + 1'b1;
  end""", tmp_path, 1100)


def test_adder_tree(tmp_path: Path) -> None:
    """Smallest and largest operands among others, and an enable that comes and goes."""
    shapes = [(n, bits, signed) for n, bits in ((1, 3), (2, 2), (3, 4), (5, 3), (6, 1), (8, 5)) for signed in (0, 1)]
    judge("bvit_adder_tree", [{"N": n, "BITS": b, "SIGNED": s} for n, b, s in shapes], """
  localparam int LEVELS = $clog2(N);
  logic en = 1'b0;
  logic [N-1:0][BITS-1:0] x = '0;
  logic [BITS+LEVELS-1:0] sum;
  int total, filled = 0, kind;
  int ahead[LEVELS+1];
  bvit_adder_tree #(.N(N), .BITS(BITS), .SIGNED(SIGNED != 0)) u_leaf (.clk, .en, .x, .sum);
  always_comb begin
    total = 0;
    for (int i = 0; i < N; i++) total += SIGNED != 0 ? 32'(signed'(x[i])) : 32'(x[i]);
  end
  always_comb ahead[0] = total;
  for (genvar level = 1; level <= LEVELS; level++) begin : gen_level
    always @(posedge clk) if (en) ahead[level] <= ahead[level-1];
  end
  always @(posedge clk) begin
    if (en && filled < LEVELS) filled <= filled + 1;
    if (filled == LEVELS) begin
      assert (sum == (BITS+LEVELS)'(ahead[LEVELS])) else $error("%0h, not %0d", sum, ahead[LEVELS]);
      judged <= judged + 1;
    end
    en <= $urandom_range(3) != 0;
    kind = $urandom_range(3);
    for (int i = 0; i < N; i++) begin
      case (kind)
        0: x[i] <= BITS'(1 << (BITS - 1));  // smallest, signed
        1: x[i] <= BITS'((1 << (BITS - 1)) - 1);  // largest, signed
        2: x[i] <= $urandom_range(1) != 0 ? '1 : '0;  // largest and smallest, unsigned
        default: x[i] <= BITS'($urandom);
      endcase
    end
  end""", tmp_path, 1000)


def test_attention_count(tmp_path: Path) -> None:
    """Ones of the last group of six alone, which may have fewer bits, or of all others; with one level or two."""
    sizes = (1, 5, 6, 7, 10, 11, 12, 13, 16, 22, 24, 35, 36, 40, 47)
    judge("bvit_attention_count", [{"N": n} for n in sizes], """
  localparam int BITS = $clog2(N + 1);
  localparam int LAST = (N - 1) / 6 * 6;  // where the last group begins
  logic [N-1:0] bits = '0;
  logic [BITS-1:0] count;
  int due;
  bvit_attention_count #(.N(N)) u_leaf (.bits, .count);
  always_comb begin
    due = 0;
    for (int i = 0; i < N; i++) due += 32'(bits[i]);
  end
  always @(posedge clk) begin
    assert (count == BITS'(due)) else $error("%0h has %0d, not %0d", bits, due, count);
    judged <= judged + 1;
    case ($urandom_range(3))
      0: for (int i = 0; i < N; i++) bits[i] <= $urandom_range(1) != 0;
      1: bits <= '1 << LAST;  // all of the last group
      2: bits <= ~('1 << LAST);  // all of the others
      default: for (int i = 0; i < N; i++) bits[i] <= $urandom_range(15) != 0;
    endcase
  end""", tmp_path, 1000, ["bvit_attention_sixes.sv"])


def test_loop_counter(tmp_path: Path) -> None:
    """Steps and resets in any order: the index, and which is the first and the last."""
    shapes = [(count, adder) for count in (1, 2, 3, 5, 7, 8, 16, 17) for adder in (0, 1)]
    judge("bvit_loop_counter", [{"COUNT": count, "ADDER": adder} for count, adder in shapes], """
  localparam int BITS = (COUNT > 1) ? $clog2(COUNT) : 1;
  logic rst = 1'b1, step = 1'b0, known = 1'b0, first, last;
  logic [BITS-1:0] index;
  int due;
  bvit_loop_counter #(.COUNT(COUNT), .ADDER(ADDER != 0)) u_leaf (.clk, .rst, .step, .index, .first, .last);
  always @(posedge clk) begin
    if (rst) due <= 0;
    else if (step) due <= due == COUNT - 1 ? 0 : due + 1;
    known <= known || rst;
    if (known) begin
      assert (index == BITS'(due) && first == (due == 0) && last == (due == COUNT - 1))
      else $error("index %0d first %0d last %0d at %0d", index, first, last, due);
      judged <= judged + 1;
    end
    rst <= $urandom_range(4 * COUNT) == 0;
    step <= $urandom_range(3) != 0;
  end""", tmp_path, 3000)


def test_ram(tmp_path: Path) -> None:
    """Writes of any lanes and reads at once, often of one word; what is read stays while nothing is."""
    shapes = [
        (depth, bits, lanes, style)
        for depth, bits, lanes in ((1, 3, 2), (2, 8, 1), (3, 5, 3), (16, 9, 2), (13, 10, 4), (5, 1, 8))
        for style in (0, 1, 2)
    ]
    judge("bvit_ram", [{"DEPTH": d, "BITS": b, "LANES": n, "STYLE": s} for d, b, n, s in shapes], """
  localparam int ADDR_BITS = (DEPTH > 1) ? $clog2(DEPTH) : 1;
  logic [LANES-1:0] we = '0;
  logic [ADDR_BITS-1:0] waddr = '0, raddr = '0;
  logic [BITS-1:0] wdata = '0;
  logic re = 1'b0, known = 1'b0;
  logic [LANES*BITS-1:0] rdata, due;
  logic [LANES*BITS-1:0] words[DEPTH];
  logic [LANES-1:0] written[DEPTH];
  initial for (int word = 0; word < DEPTH; word++) written[word] = '0;
  bvit_ram #(.DEPTH(DEPTH), .LANE_BITS(BITS), .LANES(LANES), .STYLE(STYLE)) u_leaf (
    .clk, .we, .waddr, .wdata, .re, .raddr, .rdata
  );
  always @(posedge clk) begin
    for (int lane = 0; lane < LANES; lane++) begin
      if (we[lane]) begin
        words[waddr][lane*BITS+:BITS] <= wdata;
        written[waddr][lane] <= 1'b1;
      end
    end
    if (re) begin
      due <= words[raddr];
      known <= &written[raddr];
    end
    if (known) assert (rdata == due) else $error("%0h, not %0h", rdata, due);
    if (known) judged <= judged + 1;
    we <= LANES'($urandom) | {LANES{$urandom_range(7) == 0}};
    waddr <= ADDR_BITS'($urandom_range(DEPTH - 1));
    raddr <= ADDR_BITS'($urandom_range(DEPTH - 1));
    wdata <= BITS'($urandom);
    re <= $urandom_range(2) != 0;
  end""", tmp_path, 3000)


def test_delay(tmp_path: Path) -> None:
    """Shift registers and rings in every memory; an enable and resets that come at any time."""
    steps = (1, 2, 3, 4, 5, 8, 9, 17, 33, 40)
    shapes = [(n, 3, style) for n in steps for style in (0, 1, 2)] + [(2, 2, 0), (3, 2, 0), (33, 33, 0), (34, 33, 0)]
    judge("bvit_delay", [{"STEPS": n, "SHIFT": shift, "STYLE": style} for n, shift, style in shapes], """
  logic rst = 1'b1, en = 1'b0;
  logic [8:0] d = '0, q;
  logic [8:0] line[STEPS];
  int filled = 0;
  bvit_delay #(.WIDTH(9), .STEPS(STEPS), .SHIFT_STEPS(SHIFT), .STYLE(STYLE)) u_leaf (.clk, .rst, .en, .d, .q);
  always @(posedge clk) begin
    if (filled == STEPS) begin
      assert (q == line[STEPS-1]) else $error("%0h, not %0h", q, line[STEPS-1]);
      judged <= judged + 1;
    end
    if (en) begin
      line[0] <= d;
      for (int i = 1; i < STEPS; i++) line[i] <= line[i-1];
    end
    if (rst) filled <= 0;
    else if (en && filled < STEPS) filled <= filled + 1;
    rst <= $urandom_range(8 * STEPS + 40) == 0;
    en <= $urandom_range(3) != 0;
    d <= 9'($urandom);
  end""", tmp_path, 3000, needed=["bvit_ram.sv"])


def test_booth_mul(tmp_path: Path) -> None:
    """All products of small operands."""
    shapes = [(2, 2), (3, 2), (2, 3), (4, 4), (5, 3), (3, 5), (6, 5), (4, 7), (5, 6)]
    judge("bvit_booth_mul", [{"X": x, "C": c} for x, c in shapes], """
  logic [X+C-1:0] both = '0;
  logic signed [X-1:0] x;
  logic signed [C-1:0] c;
  logic signed [X+C-1:0] p;
  assign {x, c} = both;
  bvit_booth_mul #(.X_BITS(X), .C_BITS(C)) u_leaf (.clk, .en(1'b0), .x, .c, .p);
  always @(posedge clk) begin
    assert (32'(p) == 32'(x) * 32'(c)) else $error("%0d * %0d gives %0d", x, c, p);
    judged <= judged + 1;
    both <= both + 1'b1;
  end""", tmp_path, 2200)


def test_booth_mul_in_two_cycles(tmp_path: Path) -> None:
    """The same a cycle later, behind each of the rows; while it is not enabled the product stays."""
    shapes = [(2, 2, 1), (4, 4, 1), (4, 4, 2), (5, 3, 1), (3, 5, 2), (3, 5, 3), (4, 7, 2), (5, 6, 1)]
    judge("bvit_booth_mul", [{"X": x, "C": c, "CUT": cut} for x, c, cut in shapes], """
  logic [X+C-1:0] both = '0;
  logic signed [X-1:0] x, x_q;
  logic signed [C-1:0] c, c_q;
  logic signed [X+C-1:0] p;
  logic en = 1'b0, known = 1'b0;
  assign {x, c} = both;
  bvit_booth_mul #(.X_BITS(X), .C_BITS(C), .CUT(CUT)) u_leaf (.clk, .en, .x, .c, .p);
  always @(posedge clk) begin
    if (known) begin
      assert (32'(p) == 32'(x_q) * 32'(c_q)) else $error("%0d * %0d gives %0d", x_q, c_q, p);
      judged <= judged + 1;
    end
    if (en) begin
      x_q <= x;
      c_q <= c;
      known <= 1'b1;
    end
    both <= both + 1'b1;
    en <= $urandom_range(3) != 0;
  end""", tmp_path, 2200)


def test_beat_counter(tmp_path: Path) -> None:
    """Both counts, with carries through every bit, and after a reset anywhere."""
    shapes = [(1, 1, 0), (1, 1, 1), (1, 5, 1), (2, 3, 1), (3, 2, 1), (4, 3, 1), (5, 1, 0), (8, 1, 0), (7, 4, 0),
              (1, 4, 0), (16, 2, 1), (3, 400, 1), (4, 300, 1), (33, 1, 0), (6, 150, 1)]  # fmt: skip
    judge("bvit_beat_counter", [{"BEATS": b, "ROUNDS": r, "FRAME": frame} for b, r, frame in shapes], """
  localparam int ALL = BEATS * ROUNDS;
  logic rst = 1'b1, step = 1'b0, known = 1'b0;
  logic [((BEATS > 1) ? $clog2(BEATS) : 1)-1:0] beat;
  logic [((ALL > 1) ? $clog2(ALL) : 1)-1:0] frame_beat;
  int due = 0;
  bvit_beat_counter #(.BEATS(BEATS), .ROUNDS(ROUNDS), .FRAME(FRAME != 0)) u_leaf (
    .clk, .rst, .step, .beat, .frame_beat
  );
  always @(posedge clk) begin
    if (known) begin
      assert (32'(beat) == due % BEATS) else $error("beat %0d at %0d", beat, due);
      assert (32'(frame_beat) == (FRAME != 0 ? due : 0)) else $error("beat %0d of the frame at %0d", frame_beat, due);
      judged <= judged + 1;
    end
    known <= known || rst;
    if (rst) due <= 0;
    else if (step) due <= due == ALL - 1 ? 0 : due + 1;
    rst <= $urandom_range(3 * ALL) == 0;
    step <= $urandom_range(3) != 0;
  end""", tmp_path, 8000)


def test_popcount_accumulate(tmp_path: Path) -> None:
    """Sums of one beat and of many, also beyond their width; a result that is taken, overwritten, or reset away."""
    shapes = [(start, one_row, primitives) for start in (0, 19) for one_row in (0, 1) for primitives in (0, 1, 2)]
    cells = ["LUT6_2.sv", "CARRY4.sv", "CARRY8.sv", "bvit_xilinx_carry.sv", "bvit_xilinx_ternary.sv"]
    judge(
        "bvit_popcount_accumulate",
        [{"START": start, "ONE_ROW": one_row, "PRIMITIVES": primitives} for start, one_row, primitives in shapes],
        """
  localparam bit LATE = ONE_ROW == 0 && PRIMITIVES == 0;
  logic rst = 1'b1, en = 1'b0, valid = 1'b0, first = 1'b0, last = 1'b0, taken = 1'b0, done, known = 1'b0;
  logic [1:0][2:0] row_a = '0, row_b = '0;
  logic [1:0][4:0] sums;
  bvit_popcount_accumulate #(
    .LANES(2), .BITS(3), .WIDTH(5), .START(5'(START)), .ONE_ROW(ONE_ROW != 0), .USE_PRIMITIVES(PRIMITIVES)
  ) u_leaf (.clk, .rst, .en, .valid, .first, .last, .row_a, .row_b, .taken, .done, .sums);
  // A beat as it is added: now, or an enabled cycle later.
  logic [2:0] tags, tags_q = '0;
  logic [1:0][4:0] rows, rows_q = '0, due = '0;
  logic begun = 1'b0, finished = 1'b0;
  always_comb begin
    tags = LATE ? tags_q : {valid, first, last};
    for (int lane = 0; lane < 2; lane++) begin
      rows[lane] = LATE ? rows_q[lane] : 5'(row_a[lane]) + (ONE_ROW != 0 ? 5'd0 : 5'(row_b[lane]));
    end
  end
  always @(posedge clk) begin
    if (known) assert (done == finished) else $error("done is %b", done);
    if (begun) begin
      assert (sums == due) else $error("sums %0h, not %0h", sums, due);
      judged <= judged + 1;
    end
    known <= known || rst;
    if (en && tags[2]) begin
      begun <= begun || tags[1];
      for (int lane = 0; lane < 2; lane++) due[lane] <= rows[lane] + (tags[1] ? 5'(START) : due[lane]);
    end
    if (rst) finished <= 1'b0;
    else if (en) finished <= tags[2] && tags[0];
    else if (taken) finished <= 1'b0;
    if (rst) tags_q <= '0;
    else if (en) tags_q <= {valid, first, last};
    if (en) for (int lane = 0; lane < 2; lane++) rows_q[lane] <= 5'(row_a[lane]) + 5'(row_b[lane]);
    rst <= $urandom_range(60) == 0;
    en <= $urandom_range(3) != 0;
    taken <= $urandom_range(2) == 0;
    valid <= $urandom_range(3) != 0;
    first <= $urandom_range(3) == 0;
    last <= $urandom_range(3) == 0;
    for (int lane = 0; lane < 2; lane++) begin
      // Together they are at most seven, as the counts of one beat.
      row_a[lane] <= 3'($urandom_range(ONE_ROW != 0 ? 7 : 3));
      row_b[lane] <= 3'($urandom_range(4));
    end
  end""", tmp_path, 3000, needed=cells,
    )  # fmt: skip
