"""The row rule of binary attention in integers: a table of exp over the possible scores, and one threshold.

Used by QAT evaluation, freezing, export and the hardware's golden function alike (docs/contract.md, BinaryAttention).
NumPy only, so that code running on a board may import it.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

#: a row's sum is compared after shifting the table entry left by this many bits
TABLE_SHIFT = 16
#: largest threshold; from 2**TABLE_SHIFT on (t = 2) no key is attended, whatever the scores
THRESHOLD_MAX = 2 ** (TABLE_SHIFT + 1) - 1


def score_table(head_dim: int, table_bits: int = 15) -> NDArray[np.int64]:
    """Entries E[p] = round(exp((2p - 2d) / sqrt(d)) * (2**table_bits - 1)) for p = 0..d equal bits (d = ``head_dim``).

    With the largest possible score, d, subtracted every entry is at most ``2**table_bits - 1``; softmax stays the same.
    """
    score = 2.0 * np.arange(head_dim + 1) - 2.0 * head_dim
    entries = np.exp(score / math.sqrt(head_dim)) * (2**table_bits - 1)
    table: NDArray[np.int64] = np.floor(entries + 0.5).astype(np.int64)
    return table


def threshold_integer(t: float) -> int:
    """The integer T = round(t/2 * 2**TABLE_SHIFT), clamped to 0..THRESHOLD_MAX, of a block's clip value ``t``."""
    return int(min(max(math.floor(t / 2 * 2**TABLE_SHIFT + 0.5), 0), THRESHOLD_MAX))


def attended(equal_bits: NDArray[np.int64], table: NDArray[np.int64], threshold: int) -> NDArray[np.bool_]:
    """Which keys (last axis) a row attends to: E_j * 2**TABLE_SHIFT > T * sum_j E_j; ``equal_bits`` in 0..d."""
    entries = table[equal_bits]
    found: NDArray[np.bool_] = (entries << TABLE_SHIFT) > threshold * entries.sum(axis=-1, keepdims=True)
    return found
