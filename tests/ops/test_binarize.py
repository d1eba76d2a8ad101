"""Binarize: golden function against docs/contract.md."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.errors import ConfigError
from bvit_hw.ops.binarize import Binarize
from tests.memory_words import unpack


@given(st.integers(1, 12), st.integers(1, 8), st.integers(1, 4), st.integers(0, 2**32 - 1))
def test_binarize_is_the_contract(bits: int, channels: int, tokens: int, seed: int) -> None:
    op = Binarize(tokens=tokens, channels=channels, in_bits=bits)
    rng = np.random.default_rng(seed)
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    threshold = rng.integers(low, high + 1, channels, endpoint=True)
    x = rng.integers(low, high, (tokens, channels), endpoint=True)
    (y,) = op.golden({"threshold": threshold}, x)
    assert y.tolist() == [
        [1 if Fraction(int(v)) >= int(t) else 0 for v, t in zip(r, threshold, strict=True)] for r in x
    ]
    assert np.ravel(unpack(op.rtl({"threshold": threshold}).memories["THRESHOLD_FILE"], bits + 1)).tolist() == (
        threshold.tolist()
    )


def test_binarize_limits() -> None:
    op = Binarize(tokens=1, channels=2, in_bits=4, pe=2)
    assert op.golden({"threshold": np.array([-8, 8])}, np.array([[-8, 7]]))[0].tolist() == [[1, 0]]
    for bad in (np.array([9, 0]), np.array([-9, 0]), np.array([0.0, 0.0]), np.zeros(3, int)):
        with pytest.raises(ConfigError, match="allowed"):
            op.check_params({"threshold": bad})
    assert [f.pe for f in op.foldings()] == [1, 2] and op.cycles == 1
