"""What a report says of timing."""

from __future__ import annotations

from bvit_hw.report.timing import EnableNet, Timing, TimingBetween, TimingPath

MEASURED = Timing(
    clock_ns=4.0,
    slowest=TimingPath(operator="b0.att", ns=3.25, levels=7, begin="", end="score_q[3]"),
    between=None,
    endangers={},
    ready_chain=[],
    enable=EnableNet(operator="b0.p", net="go", fan_out=2_104),
    control_sets=519,
    control_sets_available=13_300,
    wire_ns=0.4,
    wire_doubling_ns=0.1,
    source="a test",
)


def test_the_slowest_five_are_named_and_the_others_counted() -> None:
    endangers = {f"b{n}": 4.0 + n for n in range(1, 8)} | {"a": 5.0}
    verdict = MEASURED.model_copy(update={"endangers": endangers}).verdict
    assert verdict.endswith("b7 (11.0 ns), b6 (10.0 ns), b5 (9.0 ns), b4 (8.0 ns), b3 (7.0 ns) and 3 more")


def test_equally_slow_ones_are_in_the_order_of_their_names() -> None:
    assert "a (5.0 ns), b (5.0 ns)" in MEASURED.model_copy(update={"endangers": {"b": 5.0, "a": 5.0}}).verdict


def test_what_there_is_is_said() -> None:
    assert MEASURED.lines == [
        "no path is estimated to take longer than the clock's 4 ns",
        "slowest inside an operator: b0.att, 3.2 ns, 7 cells, to score_q[3]",
        "largest enable: 2,104 flip-flops of b0.p; control sets: 519 of 13,300",
    ]
    between = TimingBetween(ns=5.5, levels=9, units=["b0.ctx", "b0.att"], signal="ready")
    more = MEASURED.model_copy(update={"between": between, "ready_chain": ["b0.ctx", "b0.att"]}).lines
    assert more[2:4] == [
        "slowest between operators: 5.5 ns, 9 cells: b0.ctx -> b0.att",
        "longest chain of ready: 2 operators, up to b0.att",
    ]
