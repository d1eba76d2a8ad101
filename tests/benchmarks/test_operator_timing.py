"""The largest operators of each kind hold the boards' clocks by the estimate, and the script says so."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from bvit_hw.boards import load_board
from bvit_hw.graph.hw_graph import HwNode
from bvit_hw.ops.binarize import Binarize
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.duplicate import Duplicate

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import operator_timing

    return operator_timing


def test_the_slowest_comes_first(script: ModuleType) -> None:
    board = load_board("u250")
    wide = Binarize(tokens=4, channels=64, in_bits=8, pe=2).on(board.target)
    fork = Duplicate(tokens=4, channels=8, bits=8, signed=True, pe=2, copies=2).on(board.target)
    nodes = [
        HwNode(name="fork", op=fork, inputs=("x",), outputs=("a", "b")),
        HwNode(name="bits", op=wide, inputs=("a",), outputs=("c",),
               params=wide.random_params(np.random.default_rng(1))),
    ]  # fmt: skip
    rows = script.timed(nodes, board)
    times = [script.slowest(timing) for _, _, timing in rows]
    assert times == sorted(times, reverse=True) and 0.3 < times[0] < 5
    text = list(script.lines(rows))
    assert len(text) == 4 and all(line.count("|") == text[0].count("|") for line in text)
    assert text[2].startswith(f"| `{rows[0][0].name}` | ")


@pytest.mark.slow
@pytest.mark.parametrize("name", ["kv260", "ultra96-v2", "u250"])
def test_operators_hold_the_boards_clock(script: ModuleType, name: str) -> None:
    """tiny-digits as folded for the board: the largest operator of each kind, up to 2,500 LUTs."""
    board = load_board(name)
    _, nodes = script.nodes_of("tiny-digits", board, None)
    small = tuple(node for node in nodes if node.op.resources().lut <= 2500)
    rows = script.timed(list(script.chosen(small, 1, None)), board)
    assert len({type(node.op) for node, _, _ in rows}) > 10
    times = {node.name: script.slowest(timing) for node, _, timing in rows}
    assert {name: ns for name, ns in times.items() if ns > 1e3 / board.clock_mhz} == {}


@pytest.mark.slow
def test_wide_attention_holds_a_cards_clock(script: ModuleType) -> None:
    """196 keys, 66 at once: what was slowest of small-224 on a U250 (5.3 ns before its row's end was known early)."""
    board = load_board("u250")
    op = BinaryAttention(queries=196, keys=196, heads=4, head_dim=64, simd=4, kp=9, mp=66, pe=8).on(board.target)
    node = HwNode(name="att", op=op, inputs=("q", "k", "v"), outputs=("x",),
                  params=op.random_params(np.random.default_rng(1)))  # fmt: skip
    ((_, _, timing),) = script.timed([node], board)
    assert script.slowest(timing) <= 1e3 / board.clock_mhz
