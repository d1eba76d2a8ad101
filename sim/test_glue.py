"""Glue operators (Fifo, Duplicate, WidthConverter) against their golden functions, with mutations and cost models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import RTL, assert_caught, check_op, mutant, random_frame

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.duplicate import Duplicate
from bvit_hw.ops.fifo import Fifo, bram18s
from bvit_hw.ops.width_converter import WidthConverter


def fifo(depth: int, style: str = "small", *, pe: int = 4, bits: int = 7, tokens: int = 20) -> Fifo:
    return Fifo(tokens=tokens, channels=4 * pe, bits=bits, signed=True, pe=pe, depth=depth, style=style)


def converter(lanes_in: int, lanes_out: int, *, bits: int = 3, tokens: int = 12) -> WidthConverter:
    channels = 2 * np.lcm(lanes_in, lanes_out)
    return WidthConverter(
        tokens=tokens, channels=int(channels), bits=bits, signed=False, lanes_in=lanes_in, lanes_out=lanes_out
    )


def duplicate(copies: int, pe: int = 3) -> Duplicate:
    return Duplicate(tokens=25, channels=2 * pe, bits=5, signed=True, copies=copies, pe=pe)


def frames_of(op: HwOp, count: int = 3, seed: int = 1) -> list[tuple[np.ndarray, ...]]:
    rng = np.random.default_rng(seed)
    return [random_frame(op, rng) for _ in range(count)]


@pytest.mark.parametrize(
    ("depth", "style", "pe", "bits"),
    [(2, "small", 1, 2), (3, "small", 4, 7), (16, "small", 16, 9), (100, "small", 1, 8), (4, "large", 2, 8),
     (64, "large", 10, 8), (70, "large", 3, 3)],
)  # fmt: skip
def test_fifo(depth: int, style: str, pe: int, bits: int) -> None:
    op = fifo(depth, style, pe=pe, bits=bits)
    measured = check_op(op, {}, frames_of(op, seed=depth))
    assert measured.latency_first == (3 if style == "large" else min(depth - 1, 2))


def test_fifo_at_network_size() -> None:
    op = Fifo(tokens=56 * 56, channels=64, bits=8, signed=True, pe=16, depth=1024, style="large")
    check_op(op, {}, frames_of(op, 1), patterns=("full", "both"))


@pytest.mark.parametrize(
    ("lanes_in", "lanes_out"), [(4, 4), (1, 2), (2, 10), (12, 3), (8, 1), (2, 3), (3, 2), (7, 5), (4, 6)]
)
def test_width_converter(lanes_in: int, lanes_out: int) -> None:
    op = converter(lanes_in, lanes_out)
    check_op(op, {}, frames_of(op))


def test_width_converter_at_network_size() -> None:
    op = WidthConverter(tokens=196, channels=384, bits=8, signed=True, lanes_in=24, lanes_out=16)
    check_op(op, {}, frames_of(op, 1), patterns=("full", "both"))


@pytest.mark.parametrize("copies", [2, 3, 8])
def test_duplicate(copies: int) -> None:
    op = duplicate(copies)
    check_op(op, {}, frames_of(op))


@pytest.mark.parametrize("ops", [
    [fifo(d, s) for d, s in ((2, "small"), (3, "small"), (33, "small"), (100, "small"), (64, "large"), (700, "large"))],
    [converter(a, b) for a, b in ((4, 4), (1, 2), (2, 10), (12, 3), (2, 3), (7, 5))],
    [duplicate(n) for n in range(2, 9)],
], ids=["fifo", "width_converter", "duplicate"])  # fmt: skip
def test_lint(ops: list[HwOp]) -> None:
    for op in ops:
        instance = op.rtl({})
        lint([RTL / source for source in op.rtl_sources], instance.module, instance.parameters)


MUTATIONS = [
    (fifo(8), "count_d != CountW'(DEPTH)", "count_d != CountW'(DEPTH + 1)"),
    (fifo(5), "free = !valid_q || m_axis_tready", "free = m_axis_tready"),
    (fifo(2), "count_q <= '0;", "count_q <= CountW'(1);"),
    (fifo(5), "else if (free) valid_q <= stored;", "else valid_q <= stored;"),
    (fifo(2), "skid_valid_q ? skid_q : s_axis_tdata", "s_axis_tdata"),
    (fifo(70, "large"), "(!latch_valid_q || free)", "1'b1"),
    (fifo(70, "large"), "write_q == AddrW'(Size - 1)", "write_q == AddrW'(Size - 2)"),
    (fifo(70, "large"), "latch_valid_q <= 1'b0;", "latch_valid_q <= latch_valid_q;"),
    (converter(2, 10), "PartW'(Parts - 1)", "PartW'(Parts - 2)"),
    (converter(2, 10), "!last || m_axis_tready", "!last"),
    (converter(2, 10), "if (rst) part_q <= '0;\n      else if", "if"),
    (converter(2, 10), "{s_axis_tdata, kept_q} >> W_IN", "{s_axis_tdata, kept_q}"),
    (converter(12, 3), "last && m_axis_tready", "last"),
    (converter(2, 3), "count_q <= UnitsW'(Units - In)", "count_q <= UnitsW'(Units)"),
    (converter(2, 3), "count_q >= UnitsW'(Out)", "count_q >= UnitsW'(1)"),
    (converter(3, 2), "count_q <= UnitsW'(Units - In)", "count_q == '0"),
    (duplicate(3), "s_axis_tready = &has", "s_axis_tready = |has"),
    (duplicate(3), "if (rst) taken_q <= '0;\n    else if", "if"),
    (duplicate(3), "s_axis_tready ? '0 : has", "'0"),
    (duplicate(3), "{COPIES{s_axis_tvalid}} & ~taken_q", "{COPIES{s_axis_tready}} & ~taken_q"),
]


@pytest.mark.slow
@pytest.mark.parametrize(("op", "old", "new"), MUTATIONS)
def test_mutations_are_caught(op: HwOp, old: str, new: str, tmp_path: Path) -> None:
    assert_caught(op, {}, frames_of(op), mutant(tmp_path, op.rtl_sources[-1], old, new))


def test_cost_models(tmp_path: Path) -> None:
    """Predicted against Yosys: 15 % or 5 LUTs, registers and block RAMs exact."""
    ops: list[HwOp] = [
        *(fifo(depth, pe=8, bits=8) for depth in (2, 16, 64)),
        fifo(512, "large", pe=8, bits=9),
        fifo(1000, "large", pe=8, bits=8),
        *(converter(a, b, bits=8) for a, b in ((1, 4), (8, 1), (6, 2), (2, 3), (4, 3))),
        *(duplicate(n) for n in (2, 4, 8)),
    ]  # fmt: skip
    jobs = [job_of(str(n), op, {}, RTL) for n, op in enumerate(ops)]
    counts = synthesize(jobs, family="zynq-7000", work=tmp_path / "work", cache=tmp_path / "cache", processes=1)
    for n, op in enumerate(ops):
        counted, predicted = counts[str(n)], op.resources()
        assert predicted.lut == pytest.approx(counted.lut, rel=0.15, abs=5), op
        assert (predicted.ff, predicted.bram18) == (pytest.approx(counted.ff, abs=2), counted.bram18), op


def test_bram18s_by_hand() -> None:
    assert [bram18s(*shape) for shape in ((512, 36), (513, 36), (1024, 18), (4096, 9), (20000, 8))] == [1, 2, 1, 2, 10]


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: fifo(1), ConfigError, "depth=1"),
        (lambda: fifo(3, "large"), ConfigError, "4 or more"),
        (lambda: fifo(8, "uram"), ConfigError, "small, large"),
        (lambda: duplicate(9), ConfigError, "copies=9"),
        (lambda: converter(2, 4).fold(lanes_in=3), FoldingError, "lanes=3"),
        (lambda: duplicate(2).fold(pe=4), FoldingError, "lanes=4"),
        (lambda: fifo(2).check_params({"weights": np.zeros(1)}), ConfigError, "weights"),
    ],
)
def test_illegal_configurations_name_what_is_allowed(make, error: type[Exception], words: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(error, match=words):
        make()
