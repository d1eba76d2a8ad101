"""BinaryAttention without a simulator: golden function, validation, foldings, cycles, cost."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from bvit_hw.contract.attention_rule import attended, score_table, threshold_integer
from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.base import IntArray, Params, divisors
from bvit_hw.ops.binary_attention import BinaryAttention
from bvit_hw.ops.registry import from_attributes

TINY = BinaryAttention(queries=16, keys=4, heads=2, head_dim=32, simd=8, kp=1, mp=4, pe=4)


@st.composite
def shapes(draw: st.DrawFn) -> BinaryAttention:
    """Small operators, folded in any legal way."""
    keys, head_dim = draw(st.integers(1, 20)), draw(st.integers(1, 24))
    simd, pe = draw(st.sampled_from(divisors(head_dim))), draw(st.sampled_from(divisors(head_dim)))
    assume(simd % pe == 0 or pe % simd == 0)
    return BinaryAttention(
        queries=draw(st.integers(1, 6)),
        keys=keys,
        heads=draw(st.integers(1, 4)),
        head_dim=head_dim,
        table_bits=draw(st.integers(1, 15)),
        table_shift=draw(st.integers(1, 16)),
        simd=simd,
        kp=draw(st.integers(1, keys)),
        mp=draw(st.integers(1, keys)),
        pe=pe,
    )


def random_bits(op: BinaryAttention, seed: int) -> tuple[np.ndarray, ...]:
    """q, k and v of one frame; some keys repeated, so that scores coincide."""
    rng = np.random.default_rng(seed)
    q, k, v = (rng.integers(0, 2, (s.tokens, s.channels)) for s in op.inputs)
    k[rng.integers(op.keys, size=op.keys // 3)] = k[0]
    return q, k, v


def by_integers(op: BinaryAttention, params: Params, q: np.ndarray, k: np.ndarray, v: np.ndarray) -> list[list[int]]:
    """The contract, statement by statement, in Python's integers."""
    table, threshold = [int(e) for e in params["table"]], int(params["threshold"])
    rows = []
    for query in q.tolist():
        row = []
        for head in range(op.heads):
            channels = range(head * op.head_dim, (head + 1) * op.head_dim)
            entries = [table[sum(query[c] == key[c] for c in channels)] for key in k.tolist()]
            chosen = [e * 2**op.table_shift > threshold * sum(entries) for e in entries]
            row += [
                sum(2 * value[c] - 1 for value, is_on in zip(v.tolist(), chosen, strict=True) if is_on)
                for c in channels
            ]
        rows.append(row)
    return rows


@given(op=shapes(), seed=st.integers(0, 2**32 - 1), threshold=st.floats(0, 1.2), coarse=st.booleans())
def test_golden_is_the_contract(op: BinaryAttention, seed: int, threshold: float, coarse: bool) -> None:
    """Any table; coarse ones (entries 0..2) make rows with exact ties frequent."""
    rng = np.random.default_rng(seed)
    table = rng.integers(0, min(3, 2**op.table_bits) if coarse else 2**op.table_bits, op.head_dim + 1)
    share = round(threshold * 4) / 4 if coarse else threshold
    params = {"table": table, "threshold": np.int64(round(share * 2**op.table_shift))}
    frame = random_bits(op, seed)
    (acc,) = op.golden(params, *frame)
    assert acc.dtype == np.int64
    assert acc.tolist() == by_integers(op, params, *frame)


@given(
    queries=st.integers(1, 5),
    keys=st.integers(1, 12),
    heads=st.integers(1, 3),
    head_dim=st.integers(1, 64),
    t=st.floats(0.01, 1.9),
    seed=st.integers(0, 2**32 - 1),
)
def test_golden_is_softmax_attention(queries: int, keys: int, heads: int, head_dim: int, t: float, seed: int) -> None:
    """Against the paper's mathematics in floating point: probability over t, rounded, clamped, times the values.

    A probability nearer to t/2 than the table's and T's rounding can tell apart is left out.
    """
    op = BinaryAttention(queries=queries, keys=keys, heads=heads, head_dim=head_dim)
    params = {"table": score_table(head_dim), "threshold": np.int64(threshold_integer(t))}
    q, k, v = random_bits(op, seed)
    (acc,) = op.golden(params, q, k, v)
    for head in range(heads):
        part = slice(head * head_dim, (head + 1) * head_dim)
        scores = (2.0 * q[:, part] - 1) @ (2.0 * k[:, part] - 1).T / math.sqrt(head_dim)
        # With the largest possible score subtracted, as the table has it: else a row of unlikely keys loses its digits.
        exponentials = np.exp(scores - math.sqrt(head_dim))
        total = exponentials.sum(axis=1, keepdims=True)
        probability = exponentials / total
        # half a unit of an entry, half a unit for each key in the sum, half a unit of T
        doubt = (0.5 * (1 + keys * probability) / (2**15 - 1) / total) + 2.0**-17
        assume(bool((np.abs(probability - t / 2) > 1.01 * doubt).all()))
        mask = np.clip(np.floor(probability / t + 0.5), 0, 1)
        assert (acc[:, part] == mask @ (2.0 * v[:, part] - 1)).all()


@given(op=shapes(), seed=st.integers(0, 2**32 - 1))
def test_attended_is_the_shared_rule(op: BinaryAttention, seed: int) -> None:
    """The operator and the models decide alike (the models' rule has a fixed shift of 16)."""
    op = op.fold()  # folding does not matter to it
    op = BinaryAttention(queries=op.queries, keys=op.keys, heads=op.heads, head_dim=op.head_dim)
    q, k, _ = random_bits(op, seed)
    params = {"table": score_table(op.head_dim), "threshold": np.int64(threshold_integer(2 / op.keys))}
    equal = (q.reshape(op.queries, 1, op.heads, op.head_dim) == k.reshape(1, op.keys, op.heads, op.head_dim)).sum(
        axis=-1
    )
    expected = attended(equal.transpose(2, 0, 1).astype(np.int64), params["table"], int(params["threshold"]))
    assert (op.attended(params, q, k) == expected).all()


@given(op=shapes(), seed=st.integers(0, 2**32 - 1))
def test_accumulators_fit_their_stream(op: BinaryAttention, seed: int) -> None:
    """-keys .. keys is the range; both ends occur, and pack / unpack keep every value."""
    params = {"table": np.full(op.head_dim + 1, 1), "threshold": np.int64(0)}
    q, k, v = random_bits(op, seed)
    (stream,) = op.outputs
    for values in (np.zeros_like(v), np.ones_like(v), v):
        (acc,) = op.golden(params, q, k, values)
        assert (stream.unpack(stream.pack(acc)) == acc).all()
    (lowest,) = op.golden(params, q, k, np.zeros_like(v))
    assert (lowest == -op.keys).all()
    assert stream.low <= -op.keys < op.keys <= stream.high
    assert op.keys == 1 or stream.high < 2 * op.keys


def test_every_tie_is_left_out() -> None:
    """Four equal keys and T = 1/4: each has exactly a quarter, none is attended; a little less and all are."""
    op = BinaryAttention(queries=1, keys=4, heads=1, head_dim=8)
    bits = np.ones((4, 8), dtype=np.int64)
    params = {"table": score_table(8), "threshold": np.int64(2**14)}
    assert (op.golden(params, bits[:1], bits, bits)[0] == 0).all()
    params["threshold"] -= 1
    assert (op.golden(params, bits[:1], bits, bits)[0] == 4).all()


@given(threshold=st.integers(2**16, 2**31 - 1), seed=st.integers(0, 2**32 - 1))
def test_thresholds_beyond_one_attend_to_nothing(threshold: int, seed: int) -> None:
    """Why the RTL may be given 2**table_shift in their place."""
    rng = np.random.default_rng(seed)
    params = {"table": rng.integers(0, 2**15, 33), "threshold": np.int64(threshold)}
    (acc,) = TINY.golden(params, *random_bits(TINY, seed))
    assert (acc == 0).all()
    assert list(TINY.rtl(params).memories["THRESHOLD_FILE"].words) == [2**16]


@pytest.mark.parametrize(
    "change,error,words",
    [
        ({"queries": 0}, ConfigError, "queries=0"),
        ({"keys": -1}, ConfigError, "keys=-1"),
        ({"heads": 0}, ConfigError, "heads=0"),
        ({"head_dim": 0}, ConfigError, "head_dim=0"),
        ({"table_bits": 0}, ConfigError, "table_bits=0; allowed: 1 to 24"),
        ({"table_shift": 25}, ConfigError, "table_shift=25; allowed: 1 to 24"),
        ({"simd": 5}, FoldingError, "simd=5 does not divide head_dim=32; allowed: [1, 2, 4, 8, 16, 32]"),
        ({"pe": 64}, FoldingError, "pe=64 does not divide head_dim=32"),
        ({"kp": 5}, FoldingError, "kp=5; allowed: 1 to 4, the keys"),
        ({"mp": 0}, FoldingError, "mp=0; allowed: 1 to 4, the keys"),
        ({"head_dim": 36, "simd": 6, "pe": 4}, FoldingError, "one of them divides the other"),
    ],
)
def test_illegal_fields(change: Mapping[str, int], error: type[Exception], words: str) -> None:
    with pytest.raises(error) as caught:
        BinaryAttention(**{**TINY.attributes(), **change})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "change,words",
    [
        ({"scale": np.array(1)}, "allowed: exactly ['table', 'threshold']"),
        ({"table": np.zeros(32, dtype=np.int64)}, "shape (32,); allowed: (33,)"),
        ({"table": np.full(33, 2**15)}, "allowed: 0 .. 32767 (15 bits)"),
        ({"table": np.full(33, -1)}, "table holds -1 .. -1"),
        ({"table": np.zeros(33)}, "dtype float64"),
        ({"threshold": np.array([1, 2])}, "allowed: a scalar"),
        ({"threshold": np.int64(-1)}, "threshold is -1"),
        ({"threshold": np.int64(2**31)}, f"threshold is {2**31}"),
    ],
)
def test_illegal_params(change: Mapping[str, np.ndarray], words: str) -> None:
    params = {"table": score_table(32), "threshold": np.int64(2000), **change}
    with pytest.raises(ConfigError) as caught:
        TINY.check_params(params)
    assert words in str(caught.value)
    with pytest.raises(ConfigError):
        TINY.check_params({"table": score_table(32)})


def test_rtl_carries_the_memories() -> None:
    params = {"table": score_table(32), "threshold": np.array([2000])}
    instance = TINY.rtl(params)
    assert instance.module == "bvit_binary_attention"
    assert instance.inputs == ("s0_axis", "s1_axis", "s2_axis") and instance.outputs == ("m_axis",)
    assert list(instance.memories["TABLE_FILE"].words) == score_table(32).tolist()
    assert instance.memories["TABLE_FILE"].width == 15
    assert list(instance.memories["THRESHOLD_FILE"].words) == [2000]
    assert instance.memories["THRESHOLD_FILE"].width == 17
    assert instance.parameters["KP"] == 1 and instance.parameters["QUERIES"] == 16


@pytest.mark.parametrize(
    "folding,cycles",
    [
        ({"simd": 8, "kp": 1, "mp": 4, "pe": 4}, 32 * 8),  # output phase
        ({"simd": 8, "kp": 1, "mp": 4, "pe": 16}, 32 * 4),  # score phase and load
        ({"simd": 2, "kp": 4, "mp": 4, "pe": 32}, 32 * 16),  # queries
        ({"simd": 32, "kp": 4, "mp": 4, "pe": 32}, 32),
        ({"simd": 32, "kp": 3, "mp": 4, "pe": 32}, 32 * 2),  # the last group has one key
        ({"simd": 32, "kp": 4, "mp": 3, "pe": 16}, 32 * 4),
    ],
)
def test_cycles(folding: Mapping[str, int], cycles: int) -> None:
    assert TINY.fold(**folding).cycles == cycles


def test_cycles_of_loading() -> None:
    """More keys than queries: to store them takes longest; v is stored at most pe channels at once."""
    op = BinaryAttention(queries=1, keys=16, heads=2, head_dim=32, simd=8, kp=16, mp=16, pe=8)
    assert op.row_cycles == 4 and op.cycles == 16 * 64 // 8
    assert op.fold(pe=4).cycles == 16 * 64 // 4


@given(op=shapes())
def test_foldings(op: BinaryAttention) -> None:
    """All legal and different, slowest first, from the fully folded to the fastest possible."""
    found = list(op.foldings())
    assert len(set(found)) == len(found)
    cycles = [f.cycles for f in found]
    assert cycles == sorted(cycles, reverse=True)
    shape = {name: value for name, value in op.attributes().items() if name not in op.folding_fields}
    assert all(value == getattr(f, name) for f in found for name, value in shape.items())
    whole = op.fold(simd=op.head_dim, kp=op.keys, mp=op.keys, pe=op.head_dim)
    assert found[-1].cycles == whole.cycles
    assert found[0].cycles >= op.queries * op.heads * op.head_dim


def test_foldings_of_full_size_are_few_and_cover_the_speeds() -> None:
    op = BinaryAttention(queries=196, keys=196, heads=4, head_dim=64)
    found = list(op.foldings())
    assert len(found) < 500
    for target in (12_544, 25_088, 50_176, 100_352):
        assert any(0.5 * target <= f.cycles <= target for f in found)


@given(op=shapes())
def test_resources_are_sane(op: BinaryAttention) -> None:
    cost = op.resources()
    assert cost.lut > 0 and cost.ff > 0 and cost.dsp == 1 and cost.bram18 >= 0


def test_tiny_instances_are_small() -> None:
    """The tiny network's four stages at 512 cycles a frame or less: a few hundred LUTs each."""
    for shape, folding in (
        ((64, 4, 1), {"simd": 4, "kp": 1, "mp": 4, "pe": 4}),
        ((16, 4, 2), {"simd": 2, "kp": 1, "mp": 4, "pe": 2}),
        ((4, 4, 4), {"simd": 1, "kp": 1, "mp": 4, "pe": 1}),
        ((1, 1, 8), {"simd": 1, "kp": 1, "mp": 1, "pe": 1}),
    ):
        queries, keys, heads = shape
        op = BinaryAttention(queries=queries, keys=keys, heads=heads, head_dim=32, **folding)
        assert op.cycles <= 512 and op.resources().lut < 350


def test_attributes_round_trip() -> None:
    assert from_attributes("BinaryAttention", TINY.attributes()) == TINY


def test_golden_of_a_hand_made_row() -> None:
    """One query, three keys, head size 4: scores 4, 2 and 0; T = 1/4 keeps the first two of E = 8, 4, 1 (sum 13)."""
    op = BinaryAttention(queries=1, keys=3, heads=1, head_dim=4, table_bits=4, table_shift=2)
    params = {"table": np.array([1, 2, 4, 6, 8]), "threshold": np.int64(1)}
    q = np.array([[1, 0, 1, 0]])
    k = np.array([[1, 0, 1, 0], [1, 0, 0, 1], [0, 1, 0, 1]])
    v = np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]])
    expected: IntArray = np.array([[2, 0, 0, -2]])
    assert (op.golden(params, q, k, v)[0] == expected).all()
