"""IntMVAU: golden function against a matrix product, memories."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError
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
