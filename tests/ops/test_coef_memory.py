"""Words of coefficient memories."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from bvit_hw.ops.coef_memory import pack_words
from tests.memory_words import unpack


@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_pack_words(bits: int, fields: int, words: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-(1 << (bits - 1)), 1 << (bits - 1), (words, fields))
    memory = pack_words(values, bits)
    assert memory.width == bits * fields
    assert unpack(memory, bits) == values.tolist()
