"""BinaryMVAU's template against its golden function."""

from __future__ import annotations

import numpy as np
from hls_checks import check_hls

from bvit_hw.ops.binary_mvau import BinaryMVAU

#: (tokens, cols, rows, simd, pe)
SHAPES = [
    (4, 8, 8, 8, 1),  # one synapse fold
    (4, 8, 6, 8, 6),  # one word
    (3, 96, 8, 16, 8),  # one neuron fold: nothing is kept
    (5, 21, 6, 7, 2),  # odd everything
    (5, 1, 3, 1, 1),
    (1, 20, 5, 1, 1),
    (2, 128, 32, 32, 4),
    (2, 48, 12, 48, 12),  # a word a token: PE = rows, SIMD = columns
    (2, 256, 8, 128, 4),  # words beyond 64 bits
    (49, 2048, 512, 64, 32),  # second MLP layer of the last stage of small/4/224
]


def test_shapes() -> None:
    rng = np.random.default_rng(1)
    cases = []
    for tokens, cols, rows, simd, pe in SHAPES:
        op = BinaryMVAU(tokens=tokens, cols=cols, rows=rows, simd=simd, pe=pe)
        weights = rng.choice(np.array([-1, 1]), (rows, cols))
        weights[0] = 1
        weights[-1] = -1
        frames = [rng.integers(0, 2, (tokens, cols)) for _ in range(3)]
        frames[0][0] = 1
        frames[-1][-1] = 0
        cases.append((op, {"weights": weights}, [(frame,) for frame in frames]))
    check_hls(cases)
