"""BinaryAttention's template against its golden function: shapes, foldings, thresholds, ties, real and random data."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from digits_network import digits_cases
from hls_checks import Case, check_hls, random_frame
from template_checks import mutants_caught, refusals, refused, run_program

from bvit_hw.contract.attention_rule import score_table, threshold_integer
from bvit_hw.errors import BvitError, ConfigError, FoldingError
from bvit_hw.flows.gxx import Toolchain, clang
from bvit_hw.ops.base import IntArray
from bvit_hw.ops.binary_attention import BinaryAttention

#: small shapes take longer to compile than to run
QUICK = Toolchain(level=0)
SANITIZED = Toolchain(level=0, sanitize=True)


def attention(queries: int, keys: int, heads: int, head_dim: int, *folding: int, **fields: int) -> BinaryAttention:
    """``folding`` is simd, kp, mp, pe."""
    simd, kp, mp, pe = folding
    shape = {"queries": queries, "keys": keys, "heads": heads, "head_dim": head_dim}
    return BinaryAttention(**shape, simd=simd, kp=kp, mp=mp, pe=pe, **fields)


def mixed_frame(op: BinaryAttention, rng: np.random.Generator) -> tuple[np.ndarray, ...]:
    """Random bits, but some keys repeat others or a query, so that scores vary more than chance makes them."""
    q, k, v = random_frame(op, rng)
    for key in range(1, op.keys, 2):
        k[key] = k[key - 1] if rng.integers(2) else q[rng.integers(op.queries)]
    return q, k, v


def softmax_case(op: BinaryAttention, frames: int = 3) -> Case:
    """The frozen model's table; attended is what has more than a tenth above the mean share."""
    rng = np.random.default_rng(op.queries * 1000 + op.keys)
    params = {
        "table": score_table(op.head_dim, op.table_bits),
        "threshold": np.int64(threshold_integer(2.2 / op.keys)),
    }
    return op, params, [mixed_frame(op, rng) for _ in range(frames)]


#: the digits network's stages, PE = 1 and PE = C, 17 keys, 3 tokens, one head, head sizes that are no power of two
SHAPES = [
    attention(64, 4, 1, 32, 4, 1, 4, 4),
    attention(16, 4, 2, 32, 32, 2, 1, 32),
    attention(1, 1, 8, 32, 1, 1, 1, 1),
    attention(9, 9, 3, 15, 5, 3, 9, 5),
    attention(5, 17, 3, 12, 4, 17, 1, 4),
    attention(25, 17, 1, 8, 2, 1, 17, 2),
    attention(3, 6, 6, 16, 16, 3, 2, 2),  # v comes wider than it is kept
    attention(5, 17, 2, 8, 4, 4, 6, 2),  # of the last group of keys one is there, of that of values five
    attention(3, 3, 1, 12, 1, 1, 3, 12),
    attention(2, 40, 2, 6, 3, 1, 8, 6),  # storing takes longer than working
    attention(1, 1, 1, 1, 1, 1, 1, 1),
]
#: small/4/224, stages 0 and 2
FULL_SIZE = [
    attention(3136, 49, 1, 64, 8, 7, 49, 8),
    attention(196, 196, 4, 64, 8, 7, 49, 8),
]


def test_shapes() -> None:
    check_hls([softmax_case(op) for op in SHAPES], QUICK)


def test_digits_network() -> None:
    """Every attention of the shipped network on test images."""
    folding = {"simd": 4, "pe": 8}
    check_hls([(op.fold(**folding), params, frames) for op, params, frames in digits_cases("BinaryAttention")], QUICK)


def test_full_size() -> None:
    check_hls([softmax_case(op, frames=2) for op in FULL_SIZE])


@pytest.mark.slow
def test_full_size_foldings() -> None:
    """All four stages of small/4/224; the last one as slow, the third as fast as can be."""
    ops = [
        attention(3136, 49, 1, 64, 64, 49, 49, 64),
        attention(784, 49, 2, 64, 8, 7, 7, 32),
        attention(196, 196, 4, 64, 64, 196, 196, 64),
        attention(49, 49, 8, 64, 1, 1, 1, 1),
    ]
    check_hls([softmax_case(op) for op in ops])


@pytest.mark.slow
def test_digits_network_foldings() -> None:
    check_hls(digits_cases("BinaryAttention", foldings=4))


def tie_case(table_shift: int, threshold: int) -> tuple[Case, int]:
    """A small table, in which E * 2**shift often equals T * sum; and how often it does."""
    op = attention(16, 6, 2, 8, 4, 3, 2, 4, table_bits=2, table_shift=table_shift)
    rng = np.random.default_rng(table_shift)
    params = {"table": np.array([0, 0, 0, 1, 0, 1, 0, 3, 1]), "threshold": np.int64(threshold)}
    frames = [mixed_frame(op, rng) for _ in range(4)]
    ties = 0
    for q, k, _ in frames:
        equal = (q.reshape(-1, 1, 2, 8) == k.reshape(1, -1, 2, 8)).sum(axis=-1)
        entries: IntArray = params["table"][equal]
        ties += int(((entries << table_shift == threshold * entries.sum(axis=1, keepdims=True)) & (entries > 0)).sum())
    return (op, params, frames), ties


def test_rule() -> None:
    """From "every key with E > 0" to "none"; thresholds beyond one; exact ties; the widest and the narrowest table."""
    cases = []
    for threshold in (0, 1, 2**14, 2**16 - 1, 2**16, 2**17 - 1):
        op, params, frames = softmax_case(attention(9, 4, 2, 16, 8, 2, 2, 8))
        table = np.array(params["table"])
        table[: op.head_dim // 2] = 0  # attended by no threshold, not even by 0; a row can sum up to zero
        frames[1][0][0] = 1 - frames[1][1][0]
        cases.append((op, {"table": table, "threshold": np.int64(threshold)}, frames))
    for table_shift in (1, 16):
        case, ties = tie_case(table_shift, 2**table_shift // 2)
        assert ties > 20
        cases.append(case)
    for bits in (1, 24):
        op = attention(6, 10, 1, 16, 4, 5, 10, 8, table_bits=bits, table_shift=bits)
        rng = np.random.default_rng(bits)
        table = rng.integers(0, 2**bits, op.head_dim + 1)
        table[-1] = 2**bits - 1
        cases.append((op, {"table": table, "threshold": np.int64(2**bits // 8 + 1)}, [mixed_frame(op, rng)] * 2))
    check_hls(cases, QUICK)


def test_frame_memory(tmp_path: Path) -> None:
    run_program("frame_memory_check", tmp_path, QUICK)


def test_sanitized() -> None:
    """No access beyond an array, no undefined arithmetic."""
    check_hls([softmax_case(SHAPES[4])], SANITIZED)


@pytest.mark.slow
def test_all_sanitized(tmp_path: Path) -> None:
    run_program("frame_memory_check", tmp_path, SANITIZED)
    check_hls([softmax_case(op) for op in (*SHAPES, attention(98, 49, 1, 64, 8, 7, 49, 8))], SANITIZED)


@pytest.mark.skipif(clang() is None, reason="clang++ is not installed: apt install clang")
def test_clang() -> None:
    check_hls([softmax_case(op) for op in (SHAPES[3], SHAPES[6])], Toolchain(compiler=clang() or "", level=0))


_SHAPE = "BinaryAttention: queries, keys, heads and head_dim must be 1 or more."
_KEYS = "BinaryAttention: {} must be 1 to the number of keys."
_RATIO = "BinaryAttention: simd must divide pe, or pe must divide simd."
_BITS = "BinaryAttention: table_bits must be 1 to 24."
_SHIFT = "BinaryAttention: table_shift must be 1 to 24."
#: fields, the error of Python with what it says, the sentence of the compiler
REFUSED: list[tuple[dict[str, int], type[BvitError], str, str]] = [
    ({"queries": 0}, ConfigError, "queries=0; allowed: 1 or more", _SHAPE),
    ({"keys": 0}, ConfigError, "keys=0; allowed: 1 or more", _SHAPE),
    ({"heads": 0}, ConfigError, "heads=0; allowed: 1 or more", _SHAPE),
    ({"table_bits": 0}, ConfigError, "table_bits=0; allowed: 1 to 24", _BITS),
    ({"table_bits": 25}, ConfigError, "table_bits=25; allowed: 1 to 24", _BITS),
    ({"table_shift": 0}, ConfigError, "table_shift=0; allowed: 1 to 24", _SHIFT),
    ({"table_shift": 25}, ConfigError, "table_shift=25; allowed: 1 to 24", _SHIFT),
    ({"simd": 5}, FoldingError, "simd=5 does not divide head_dim=36", "BinaryAttention: simd must divide head_dim."),
    ({"pe": 24}, FoldingError, "pe=24 does not divide head_dim=36", "BinaryAttention: pe must divide head_dim."),
    ({"simd": 6, "pe": 4}, FoldingError, "one of them divides the other", _RATIO),
    ({"kp": 18}, FoldingError, "kp=18; allowed: 1 to 17, the keys", _KEYS.format("kp")),
    ({"mp": 0}, FoldingError, "mp=0; allowed: 1 to 17, the keys", _KEYS.format("mp")),
]


def test_bad_parameters(tmp_path: Path) -> None:
    """Python refuses them, and so does the compiler, with the same meaning."""
    good = attention(9, 17, 2, 36, 12, 17, 17, 12).attributes()
    for fields, error, words, _ in REFUSED:
        with pytest.raises(error, match=words):
            BinaryAttention(**{**good, **fields})
    configs = [good, *({**good, **fields} for fields, *_ in REFUSED)]
    found = refusals("binary_attention.hpp", "BinaryAttentionShape", configs, tmp_path)
    assert found[0] == []
    for sentences, (fields, *_, sentence) in zip(found[1:], REFUSED, strict=True):
        # simd = 5 neither divides pe = 12, pe = 24 is no multiple of simd: another sentence besides is right.
        assert sentence in sentences, fields


def test_bad_tables(tmp_path: Path) -> None:
    """A table without an entry for every score, or of entries too wide."""
    op, params, _ = softmax_case(SHAPES[0])
    with pytest.raises(ConfigError, match="an entry for each score of head_dim=32"):
        op.hls({**params, "table": params["table"][:-1]})
    with pytest.raises(ConfigError, match=r"table holds 0 \.\. 32768; allowed: 0 \.\. 32767"):
        op.hls({**params, "table": np.array([0] * 32 + [1 << 15])})
    members = " ".join(f"static constexpr int {name} = {value};" for name, value in op.attributes().items())
    text = f'#include "bvit/binary_attention.hpp"\nstruct Config {{ {members} }};\nusing bvit::BinaryAttentionShape;\n'
    stream = "hls::stream<BinaryAttentionShape<Config>::{}>& {}"
    streams = ", ".join(stream.format(kind, name) for kind, name in zip(("In", "In", "In", "Out"), "qkvo", strict=True))
    for table, sentence in (
        ("ap_uint<15> table[32]", "the table must have head_dim + 1 entries, one for every score"),
        ("ap_uint<14> table[33]", "the table's entries must be table_bits wide"),
    ):
        body = f"void f({streams}, const {table.replace('table', '(&table)')}, const ap_uint<17> (&threshold)[1]) {{"
        call = "bvit::binary_attention<Config>(q, k, v, o, table, threshold); }\n"
        assert any(sentence in line for line in refused(f"{text}{body} {call}", tmp_path)), sentence
    body = f"void f({streams}, const ap_uint<15> (&table)[33], const ap_uint<17> (&threshold)[1]) {{"
    assert refused(f"{text}{body} {call}", tmp_path) == []


MUTATIONS = [
    ("binary_attention.hpp", "lane<Cfg::table_bits>(scored, l) > bound", "lane<Cfg::table_bits>(scored, l) >= bound"),
    ("binary_attention.hpp", "          sum = 0;\n", ""),
    ("binary_attention.hpp", "~(row ^ key)", "row ^ key"),
    ("binary_attention.hpp", "acc[lane] = group == 0 ? part :", "acc[lane] ="),
    ("binary_attention.hpp", "row = shift_in(row, keys);", ""),
    ("binary_attention.hpp", "- popcount<count>(chosen);", ";"),
    ("binary_attention.hpp", "if (chunk == 0 && group == 0) row", "if (chunk == 0 && group == 0 && head == 0) row"),
    ("binary_attention.hpp", "values.write(typename Shape::Value(wide));\n        wide >>= Cfg::pe;",
     "values.write(typename Shape::Value(wide));"),
    ("binary_attention.hpp", "head * Shape::chunks + chunk)", "chunk)"),
    ("binary_attention.hpp", "sum_bits = Cfg::table_bits + clog2(Cfg::keys)", "sum_bits = Cfg::table_bits"),
    ("common.hpp", "Tree<from + count / 2, count - count / 2>", "Tree<from, count - count / 2>"),
    ("frame_memory.hpp", "memory[lane][!current]", "memory[lane][current]"),
    ("frame_memory.hpp", "current = !current;", ""),
    ("frame_memory.hpp", "next_words = 0;", ""),
    ("frame_memory.hpp", "if (++group == groups) group = 0;", "++group;"),
    ("frame_memory.hpp", "++lane < lanes && next_words < words", "++lane < lanes"),
    ("binary_attention.hpp", "there ? found :", "true ? found :"),
    ("binary_attention.hpp", "last_keys = Cfg::keys - (key_groups - 1)", "last_keys = Cfg::keys - key_groups"),
]  # fmt: skip


@pytest.mark.slow
def test_mutations_are_caught(tmp_path: Path) -> None:
    """Cases like those above find every one of these faults."""
    (ties, _) = tie_case(4, 8)
    cases = [ties, *(softmax_case(op) for op in (SHAPES[3], SHAPES[6], SHAPES[7]))]
    assert mutants_caught(cases, MUTATIONS, tmp_path) == MUTATIONS
