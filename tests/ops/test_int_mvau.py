"""IntMVAU: golden function against a matrix product, memories, serial foldings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError, FoldingError
from bvit_hw.ops.int_mvau import IntMVAU
from tests.memory_words import unpack

STEM = IntMVAU(tokens=2, cols=12, rows=6, in_bits=8, acc_bits=20, simd=3, pe=2)


@given(
    cols=st.integers(1, 12), rows=st.integers(1, 6), tokens=st.integers(1, 3), in_signed=st.integers(0, 1),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_int_mvau_is_a_matrix_product(cols: int, rows: int, tokens: int, in_signed: int, seed: int) -> None:
    op = IntMVAU(tokens=tokens, cols=cols, rows=rows, in_bits=5, in_signed=in_signed, weight_bits=4, acc_bits=16)
    rng = np.random.default_rng(seed)
    weights = rng.integers(-8, 8, (rows, cols))
    x = rng.integers(op.inputs[0].low, op.inputs[0].high + 1, (tokens, cols))
    expected = [
        [sum(int(w) * int(v) for w, v in zip(weights[r], x[t], strict=True)) for r in range(rows)]
        for t in range(tokens)
    ]
    assert op.golden({"weights": weights}, x)[0].tolist() == expected


def test_int_mvau_memory_and_params() -> None:
    """Word = row fold, column fold; lanes of SIMD weights."""
    weights = np.arange(-36, 36).reshape(6, 12)
    instance = STEM.rtl({"weights": weights})
    words = unpack(instance.memories["WEIGHT_FILE"], 8)
    assert words == [
        [int(weights[nf * 2 + p, sf * 3 + s]) for p in range(2) for s in range(3)] for nf in range(3) for sf in range(4)
    ]
    assert instance.inputs == ("s_axis",) and STEM.cycles == 24
    for bad, message in (
        (np.full((6, 12), 128), "127"),
        (np.zeros((12, 6), int), "shape"),
        (np.zeros((6, 12)), "float64"),
    ):
        with pytest.raises(ConfigError, match=message):
            STEM.check_params({"weights": bad})
    narrow = replace(STEM, acc_bits=18)
    extreme = np.full((6, 12), 127)
    STEM.check_params({"weights": extreme})  # 12 * 127 * 255 fits 20 bits
    with pytest.raises(ConfigError, match=r"sums can reach 0 .. 388620; acc_bits=18"):
        narrow.check_params({"weights": extreme})
    folded = list(STEM.foldings())
    assert [f.cycles for f in folded] == sorted((f.cycles for f in folded), reverse=True)
    assert len(folded) == 4 * 6 * 2


@given(
    cols=st.integers(1, 13), pe=st.integers(1, 2), phases=st.integers(1, 5), weight_bits=st.integers(2, 8),
    seed=st.integers(0, 2**32 - 1),
)  # fmt: skip
def test_serial_tables_add_up(cols: int, pe: int, phases: int, weight_bits: int, seed: int) -> None:
    """For any bits of the columns the tables of a row sum up to its weights that they select."""
    in_bits = 2
    rng = np.random.default_rng(seed)
    weights = rng.integers(-(1 << weight_bits - 1), 1 << weight_bits - 1, (pe * in_bits * phases, cols))
    op = IntMVAU(
        tokens=1, cols=cols, rows=len(weights), in_bits=in_bits, weight_bits=weight_bits, acc_bits=16, simd=cols, pe=pe,
        use_dsp=0, serial=1,
    )  # fmt: skip
    assert op.phases == phases and op.cycles == in_bits * phases
    instance = op.rtl({"weights": weights})
    sum_bits, table_bits = int(instance.parameters["SUM_BITS"]), int(instance.parameters["TABLE_BITS"])
    together, stage_cols = pe * in_bits, int(instance.parameters["COLS_A_STAGE"])
    stages = -(-cols // stage_cols)
    memory = instance.memories["TABLE_FILE"]
    assert memory.width == together * (sum_bits + (stages - 1) * table_bits)
    words = list(reversed(memory.words))
    chosen = rng.integers(0, 2, cols)
    for row, wanted in enumerate((weights @ chosen).tolist()):
        phase, lane = divmod(row, together)
        total = 0
        for stage in range(stages):
            bits = chosen[stage * stage_cols : (stage + 1) * stage_cols]
            word = words[phase << stage_cols | sum(int(b) << i for i, b in enumerate(bits))]
            if stage == 0:
                total += word >> lane * sum_bits & (1 << sum_bits) - 1
            else:
                at = together * (sum_bits + (stage - 1) * table_bits) + lane * table_bits
                total -= (word >> at & (1 << table_bits) - 1) - (1 << table_bits)
        assert (total - wanted) % (1 << sum_bits) == 0
        assert -(1 << sum_bits - 1) <= wanted < 1 << sum_bits - 1


def test_serial_foldings() -> None:
    """One for each number of phases that leaves a table inputs, if the rows allow; the others say why not."""
    stem = IntMVAU(tokens=64, cols=48, rows=32, in_bits=8, acc_bits=19, use_dsp=0)
    serial = {f.cycles: f for f in stem.foldings() if f.serial}
    assert {cycles: f.pe for cycles, f in serial.items()} == {512: 4, 1024: 2, 2048: 1}
    assert all(f.resources().dsp == 0 and f.resources().lut < 4000 for f in serial.values())
    assert not [f for f in STEM.foldings() if f.serial]
    for fields, message in (
        ({"use_dsp": 1}, "with use_dsp=0"),
        ({"pe": 8}, r"allowed: pe \[1, 2, 4\]"),
        ({"pe": 4, "simd": 2}, "24 beats of a token take longer than its 8 cycles"),
        ({"rows": 8 * 17, "simd": 48}, "17 phases a token; allowed: up to 16"),
        ({"rows": 30}, "allowed: pe none"),
    ):
        with pytest.raises(FoldingError, match=message):
            replace(stem, **{"serial": 1, "simd": 6, **fields})
