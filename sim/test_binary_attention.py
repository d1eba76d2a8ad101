"""BinaryAttention's RTL against its golden function: traffic, foldings, corner shapes, corner thresholds, full size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import assert_caught, check_op, find_sources, mutant, random_frame

from bvit_hw.contract.attention_rule import score_table, threshold_integer
from bvit_hw.errors import ToolError
from bvit_hw.flows.verilator import lint
from bvit_hw.flows.yosys import job_of, synthesize
from bvit_hw.ops.base import Params
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.targets import XC7
from bvit_hw.targets.xcup import TARGET as XCUP

#: the tiny network's four stages, at two foldings each
TINY = [
    {"queries": 64, "keys": 4, "heads": 1, "simd": 4, "kp": 1, "mp": 4, "pe": 4},
    {"queries": 64, "keys": 4, "heads": 1, "simd": 8, "kp": 4, "mp": 2, "pe": 16},
    {"queries": 16, "keys": 4, "heads": 2, "simd": 2, "kp": 1, "mp": 4, "pe": 2},
    {"queries": 16, "keys": 4, "heads": 2, "simd": 32, "kp": 2, "mp": 1, "pe": 32},
    {"queries": 4, "keys": 4, "heads": 4, "simd": 1, "kp": 1, "mp": 4, "pe": 1},
    {"queries": 4, "keys": 4, "heads": 4, "simd": 32, "kp": 4, "mp": 4, "pe": 32},
    {"queries": 1, "keys": 1, "heads": 8, "simd": 1, "kp": 1, "mp": 1, "pe": 1},
    {"queries": 1, "keys": 1, "heads": 8, "simd": 32, "kp": 1, "mp": 1, "pe": 32},
]
#: odd grids and counts, prime numbers of keys, head sizes that are no power of two, simd beyond pe
ODD = [
    {"queries": 9, "keys": 9, "heads": 3, "head_dim": 15, "simd": 5, "kp": 3, "mp": 9, "pe": 5},
    {"queries": 5, "keys": 17, "heads": 3, "head_dim": 12, "simd": 4, "kp": 17, "mp": 1, "pe": 4},
    {"queries": 25, "keys": 17, "heads": 1, "head_dim": 8, "simd": 2, "kp": 1, "mp": 17, "pe": 2},
    {"queries": 3, "keys": 6, "heads": 6, "head_dim": 16, "simd": 16, "kp": 3, "mp": 2, "pe": 2},
    {"queries": 7, "keys": 3, "heads": 1, "head_dim": 64, "simd": 64, "kp": 1, "mp": 3, "pe": 16},
    {"queries": 2, "keys": 40, "heads": 2, "head_dim": 6, "simd": 3, "kp": 1, "mp": 8, "pe": 6},
    {"queries": 1, "keys": 1, "heads": 1, "head_dim": 1, "simd": 1, "kp": 1, "mp": 1, "pe": 1},
    {"queries": 2, "keys": 5, "heads": 2, "head_dim": 2, "simd": 1, "kp": 5, "mp": 5, "pe": 2},
]
#: a last group that lacks one key, all but one, keys or values alone; with shared parities and without
SHORT = [
    {"queries": 17, "keys": 17, "heads": 2, "head_dim": 16, "simd": 4, "kp": 6, "mp": 9, "pe": 4},
    {"queries": 6, "keys": 17, "heads": 1, "head_dim": 12, "simd": 4, "kp": 4, "mp": 16, "pe": 2},
    {"queries": 5, "keys": 5, "heads": 3, "head_dim": 8, "simd": 2, "kp": 1, "mp": 3, "pe": 4},
    {"queries": 4, "keys": 7, "heads": 2, "head_dim": 32, "simd": 8, "kp": 5, "mp": 1, "pe": 8},
    {"queries": 3, "keys": 2, "heads": 1, "head_dim": 4, "simd": 4, "kp": 1, "mp": 2, "pe": 1},
    {"queries": 1, "keys": 50, "heads": 1, "head_dim": 4, "simd": 1, "kp": 3, "mp": 7, "pe": 1},
]
#: small/4/224, every key; ``queries`` reduced from 3136, 784, 196 and 49 where the test says so
FULL_SIZE = [
    {"queries": 3136, "keys": 49, "heads": 1, "head_dim": 64, "simd": 8, "kp": 7, "mp": 49, "pe": 8},
    {"queries": 784, "keys": 49, "heads": 2, "head_dim": 64, "simd": 8, "kp": 7, "mp": 7, "pe": 32},
    {"queries": 196, "keys": 196, "heads": 4, "head_dim": 64, "simd": 8, "kp": 7, "mp": 49, "pe": 8},
    {"queries": 49, "keys": 49, "heads": 8, "head_dim": 64, "simd": 1, "kp": 1, "mp": 49, "pe": 1},
]
#: DeiT-S with a class token: a prime number of keys
CLASS_TOKEN = {"queries": 197, "keys": 197, "heads": 6, "head_dim": 64, "simd": 8, "kp": 11, "mp": 66, "pe": 8}


def build(shape: dict[str, int]) -> BinaryAttention:
    """The operator, with the tiny network's head size where the shape names none."""
    return BinaryAttention(**{"head_dim": 32, **shape})


def softmax_params(op: BinaryAttention, share: float | None = None) -> Params:
    """The frozen model's table; attended is what has more than ``share`` of a row (default: than a mean key)."""
    t = 2 * (1.1 / op.keys if share is None else share)
    return {"table": score_table(op.head_dim, op.table_bits), "threshold": np.int64(threshold_integer(t))}


def label(shape: dict[str, int]) -> str:
    """A readable name of a configuration."""
    return "-".join(f"{key}{value}" for key, value in shape.items())


def mixed_frame(op: BinaryAttention, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Random bits, but some keys repeat others or a query, so that scores vary more than chance makes them."""
    q, k, v = random_frame(op, rng)
    for key in range(1, op.keys, 2):
        k[key] = k[key - 1] if rng.integers(2) else q[rng.integers(op.queries)]
    return q, k, v


@pytest.mark.parametrize("shape", [*TINY, *ODD, *SHORT], ids=label)
def test_patterns(shape: dict[str, int]) -> None:
    op = build(shape)
    rng = np.random.default_rng(op.queries * 1000 + op.keys)
    measured = check_op(op, softmax_params(op), [mixed_frame(op, rng) for _ in range(5)], min_frames=6)
    assert measured.cycles_per_frame == op.cycles


@pytest.mark.parametrize("shape", [*FULL_SIZE, CLASS_TOKEN], ids=label)
def test_full_size_all_keys(shape: dict[str, int]) -> None:
    """Full-size keys, heads, head size and folding; an eighth of the queries, at least 7: 392, 98, 24, 7, 24."""
    op = build({**shape, "queries": max(shape["queries"] // 8, 7)})
    rng = np.random.default_rng(op.keys)
    frames = [mixed_frame(op, rng) for _ in range(3)]
    check_op(op, softmax_params(op), frames, patterns=("full", "both"))


#: more than 64 words of keys and values; values of which each lane is a byte and less, and more
DEEP = [
    {"queries": 6, "keys": 40, "heads": 2, "head_dim": 6, "simd": 3, "kp": 1, "mp": 8, "pe": 3},
    {"queries": 5, "keys": 33, "heads": 2, "head_dim": 32, "simd": 8, "kp": 2, "mp": 4, "pe": 16},
]


@pytest.mark.parametrize("shape", DEEP, ids=label)
def test_keys_and_values_in_ultraram(shape: dict[str, int], tmp_path: Path) -> None:
    """Right in every traffic; Yosys makes as many URAM288 as predicted, and no block RAM but for waiting entries."""
    op = build({**shape, "ultra": 1}).on(XCUP)
    rng = np.random.default_rng(op.keys)
    params = softmax_params(op)
    measured = check_op(op, params, [mixed_frame(op, rng) for _ in range(5)], min_frames=6)
    assert measured.cycles_per_frame == op.cycles
    jobs = [job_of(name, fold, params) for name, fold in (("ultra", op), ("block", op.fold(ultra=0)))]
    counts = synthesize(jobs, target=XCUP, work=tmp_path / "work", processes=1)
    ultra, block, predicted = counts["ultra"], counts["block"], op.resources()
    assert ultra.uram == predicted.uram > 0 == block.uram
    assert ultra.bram18 == predicted.bram18 < block.bram18
    assert ultra.lut == pytest.approx(block.lut, rel=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [*FULL_SIZE, CLASS_TOKEN], ids=label)
def test_full_size(shape: dict[str, int]) -> None:
    op = build(shape)
    rng = np.random.default_rng(op.queries)
    measured = check_op(op, softmax_params(op), [mixed_frame(op, rng) for _ in range(4)])
    assert measured.cycles_per_frame == op.cycles


@pytest.mark.parametrize(
    ("threshold", "kp"),
    [(0, 1), (0, 4), (1, 4), (2**14, 1), (2**16 - 1, 4), (2**16, 1), (2**16 + 1, 4), (2**17 - 1, 1)],
)
def test_thresholds(threshold: int, kp: int) -> None:
    """From "every key with E > 0" to "none"; beyond one (2**16) too."""
    op = build({"queries": 9, "keys": 4, "heads": 2, "simd": 8, "kp": kp, "mp": 2, "pe": 8})
    table = score_table(op.head_dim)
    # Zero entries: attended by no threshold, not even by 0. A row can sum up to zero.
    table[: op.head_dim // 2] = 0
    params = {"table": table, "threshold": np.int64(threshold)}
    rng = np.random.default_rng(threshold)
    frames = [mixed_frame(op, rng) for _ in range(3)]
    frames[1][0][0] = 1 - frames[1][1][0]
    attended = [op.attended(params, q, k).sum(axis=-1) for q, k, _ in frames]
    if threshold == 0:
        assert any((a == op.keys).any() for a in attended) and any((a < op.keys).any() for a in attended)
    if threshold >= 2**16:
        assert not any(a.any() for a in attended)
    check_op(op, params, frames, patterns=("full", "both"))


@pytest.mark.parametrize("table_shift", [1, 16])
@pytest.mark.parametrize("keys,kp,mp", [(4, 1, 4), (6, 6, 3), (6, 2, 6), (7, 3, 4)])
def test_exact_ties(keys: int, kp: int, mp: int, table_shift: int) -> None:
    """A key whose E * 2**shift equals T * sum is not attended. Small tables make such rows frequent."""
    op = BinaryAttention(
        queries=16, keys=keys, heads=2, head_dim=8, table_bits=2, table_shift=table_shift, simd=4, kp=kp, mp=mp, pe=4
    )
    rng = np.random.default_rng(keys)
    params = {"table": np.array([0, 0, 0, 1, 0, 1, 0, 3, 1]), "threshold": np.int64(2**table_shift // 2)}
    frames = [mixed_frame(op, rng) for _ in range(4)]
    ties = 0
    for q, k, _ in frames:
        equal = (q.reshape(-1, 1, 2, 8) == k.reshape(1, -1, 2, 8)).sum(axis=-1)
        entries = params["table"][equal]
        ties += int(((2 * entries == entries.sum(axis=1, keepdims=True)) & (entries > 0)).sum())
    assert ties > 20
    check_op(op, params, frames, patterns=("full", "stalled"))


@pytest.mark.parametrize("table_bits,table_shift", [(1, 1), (8, 8), (24, 24)])
def test_widths(table_bits: int, table_shift: int) -> None:
    op = BinaryAttention(
        queries=6,
        keys=10,
        heads=1,
        head_dim=16,
        table_bits=table_bits,
        table_shift=table_shift,
        simd=4,
        kp=5,
        mp=10,
        pe=8,
    )
    rng = np.random.default_rng(table_bits)
    params = {
        "table": rng.integers(0, 2**table_bits, op.head_dim + 1),
        "threshold": np.int64(rng.integers(1, 2**table_shift) // 8 + 1),
    }
    params["table"][-1] = 2**table_bits - 1
    check_op(op, params, [mixed_frame(op, rng) for _ in range(3)], patterns=("full", "both"))


def test_late_keys_and_values() -> None:
    """q is there long before k and v: nothing may be worked on before its frame's k, nothing put out before its v."""
    op = build({"queries": 2, "keys": 16, "heads": 2, "simd": 1, "kp": 16, "mp": 16, "pe": 1})
    assert op.cycles == op.load_cycles > op.queries * op.heads * op.row_cycles
    rng = np.random.default_rng(5)
    measured = check_op(op, softmax_params(op), [random_frame(op, rng) for _ in range(4)], min_frames=6)
    assert measured.cycles_per_frame == op.load_cycles


@pytest.mark.parametrize(
    "illegal,sentence",
    [
        ({"KP": 5}, "KP=5 must lie in 1..KEYS=4"),
        ({"MP": 5}, "MP=5 must lie in 1..KEYS=4"),
        ({"SIMD": 5}, "SIMD=5 does not divide HEAD_DIM=32"),
        ({"PE": 64}, "PE=64 does not divide HEAD_DIM=32"),
        ({"HEAD_DIM": 36, "SIMD": 6, "PE": 4}, "neither of SIMD=6 and PE=4 divides the other"),
        ({"TABLE_BITS": 25}, "must lie in 1..24"),
        ({"QUERIES": 0}, "must be positive"),
    ],
)
def test_illegal_parameters_stop_elaboration(illegal: dict[str, int], sentence: str) -> None:
    with pytest.raises(ToolError) as caught:
        lint(find_sources(BinaryAttention.rtl_sources), "bvit_binary_attention", illegal)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("shape", [*TINY, *ODD, *SHORT, *FULL_SIZE, CLASS_TOKEN], ids=label)
def test_lint(shape: dict[str, int]) -> None:
    """Verilator -Wall has nothing to say in any configuration."""
    op = build(shape)
    lint(find_sources(op.rtl_sources), "bvit_binary_attention", op.rtl(softmax_params(op)).parameters)


#: faults of groups that the keys do not fill
SHORT_MUTATIONS = [
    ("bvit_attention_choice.sv", "if (last_q[0]) e_q <= '0;\n          else ", ""),
    ("bvit_attention_choice.sv", "if (last_q[0]) e_q", "if (last_q[1]) e_q"),
    ("bvit_attention_choice.sv", "lane < LAST_KEYS)", "lane <= LAST_KEYS)"),
    ("bvit_attention_slots.sv", "rst || (SHORT && frame_done)", "rst"),
    ("bvit_attention_slots.sv", "(SHORT && frame_done);", "1'b0;"),
    ("bvit_attention_slots.sv", "lane_q[LAST] &&", "lane_q[LANES-1] &&"),
    ("bvit_attention_row.sv", "(KEYS + KP - 1) / KP * KP", "KEYS"),
]
MUTATIONS = [
    ("bvit_binary_attention.sv", ".s_axis_tvalid(s2_axis_tvalid)", ".s_axis_tvalid(1'b1)"),
    ("bvit_attention_keys.sv", ".step (take && last)", ".step (take)"),
    ("bvit_attention_values.sv", "write && wchunk_last", "write"),
    ("bvit_attention_values.sv", "if (rst) wchunk_q <= '0;\n    else if", "if"),
    ("bvit_attention_queries.sv", "valid_q && k_there && en", "valid_q && en"),
    ("bvit_attention_queries.sv", "!next_last || !valid_q || row_done", "1'b1"),
    ("bvit_attention_choice.sv", "] > bound_q", "] >= bound_q"),
    ("bvit_attention_choice.sv", "E_STEPS = GROUPS + FLAG_STAGES - 1", "E_STEPS = GROUPS + FLAG_STAGES"),
    ("bvit_attention_choice.sv", "|(bound >> TABLE_BITS) ? '1 :", "1'b0 ? '1 :"),
    ("bvit_attention_choice.sv", "(row_first_q ? '0 : row_sum_q)", "row_sum_q"),
    ("bvit_attention_row.sv", "!full_q || !stays;", "1'b1;"),
    ("bvit_attention_row.sv", "full_q && !stays;", "full_q;"),
    ("bvit_attention_row.sv", "else if (m_ready) done_q <= 1'b0;", ""),
    ("bvit_attention_row.sv", "else if (hand_over) full_q <= 1'b0;", ""),
    ("bvit_attention_row.sv", "(first_q ? '0 : minus_q)", "minus_q"),
    ("bvit_attention_product.sv", "assign en = !m_valid_q || m_axis_tready", "assign en = 1'b1"),
    ("bvit_attention_product.sv", "row_valid_q && v_there && en", "row_valid_q && en"),
    ("bvit_attention_product.sv", "      chunk_q <= '0;\n", ""),
    ("bvit_attention_slots.sv", "room = !count_q[1]", "room = count_q != 2'd3"),
    ("bvit_attention_slots.sv", "      group_q <= '0;\n", ""),
    ("bvit_attention_gather.sv", "if (rst) beat_q <= '0;\n      else if", "if"),
]


#: where a row of queries waits whole: more than four groups of keys
LONG_MUTATIONS = [
    ("bvit_attention_queries.sv", "!next_last || !whole_valid_q", "1'b1"),
    ("bvit_attention_queries.sv", "else if (load) whole_valid_q <= 1'b0;", ""),
    ("bvit_attention_queries.sv", "whole_valid_q && (!valid_q || row_done)", "whole_valid_q"),
]
_SHAPE = {"heads": 2, "head_dim": 8, "table_bits": 2, "table_shift": 2}
#: T = 1/4: rows with attended keys, with ties, and with a bound beyond the table's range all occur
_ENTRIES = (0, 3, 2, 0, 3, 1, 3, 2, 3)
#: the operator in which a table's faults show, its entries, and the fault
FAULTS = [
    *((BinaryAttention(queries=8, keys=6, **_SHAPE, simd=2, kp=3, mp=3, pe=2), _ENTRIES, *fault)
      for fault in MUTATIONS),
    # of five keys three at once, of their values four
    *((BinaryAttention(queries=5, keys=5, **_SHAPE, simd=2, kp=3, mp=4, pe=2), (3, 3, 2, 1, 3, 1, 3, 2, 3), *fault)
      for fault in SHORT_MUTATIONS),
    # six groups of a key each; a row's two beats come faster than that
    *((BinaryAttention(queries=8, keys=6, **_SHAPE, simd=4, kp=1, mp=3, pe=4), _ENTRIES, *fault)
      for fault in LONG_MUTATIONS),
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("op", "entries", "name", "old", "new"), FAULTS)
def test_mutations_are_caught(
    op: BinaryAttention, entries: tuple[int, ...], name: str, old: str, new: str, tmp_path: Path
) -> None:
    """The bench must fail on each of these faults."""
    rng = np.random.default_rng(3)
    params = {"table": np.array(entries), "threshold": np.int64(1)}
    assert_caught(op, params, [mixed_frame(op, rng) for _ in range(12)], mutant(tmp_path, name, old, new))


def test_cost_model(tmp_path: Path) -> None:
    """Predicted against Yosys: LUTs and registers within 12 %, block RAMs and DSPs exact."""
    shapes = [TINY[0], TINY[6], {"queries": 9, "keys": 9, "heads": 2, "simd": 2, "kp": 3, "mp": 3, "pe": 4}]
    ops = {label(shape): build(shape) for shape in shapes}
    jobs = [job_of(name, op, softmax_params(op)) for name, op in ops.items()]
    counts = synthesize(jobs, target=XC7, work=tmp_path, cache=tmp_path / "cache", processes=1)
    for name, op in ops.items():
        predicted, counted = op.resources(), counts[name]
        assert abs(predicted.lut / counted.lut - 1) < 0.12, (name, predicted, counted)
        assert abs(predicted.ff / counted.ff - 1) < 0.12, (name, predicted, counted)
        assert (predicted.bram18, predicted.dsp) == (counted.bram18, counted.dsp), (name, predicted, counted)
