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
