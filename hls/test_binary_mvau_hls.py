"""BinaryMVAU's template against its golden function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from digits_network import digits_cases
from hls_checks import Case, check_hls
from template_checks import mutants_caught

from bvit_hw.flows.gxx import Toolchain
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
]
#: second MLP layer of the last stage of small/4/224
FULL_SIZE = (49, 2048, 512, 64, 32)


def cases(shapes: list[tuple[int, ...]], frames: int) -> list[Case]:
    """Random weights and frames, among them rows that answer +cols and -cols, tokens of ones and of zeros."""
    rng = np.random.default_rng(1)
    found: list[Case] = []
    for tokens, cols, rows, simd, pe in shapes:
        op = BinaryMVAU(tokens=tokens, cols=cols, rows=rows, simd=simd, pe=pe)
        weights = rng.choice(np.array([-1, 1]), (rows, cols))
        weights[0] = 1
        weights[-1] = -1
        bits = [rng.integers(0, 2, (tokens, cols)) for _ in range(frames)]
        bits[0][0] = 1
        bits[-1][-1] = 0
        found.append((op, {"weights": weights}, [(frame,) for frame in bits]))
    return found


def test_shapes() -> None:
    check_hls(cases(SHAPES, 3), Toolchain(level=0))


def test_full_size() -> None:
    check_hls(cases([FULL_SIZE], 1))


def test_real_data() -> None:
    """A few of the digits network's matrices on what they see of test images."""
    check_hls(digits_cases("BinaryMVAU", foldings=2)[:4], Toolchain(level=0))


MUTATIONS = [
    ("binary_mvau.hpp", "n == 0 ? in.read() : token[s]", "in.read()"),
    ("binary_mvau.hpp", "n * Shape::synapse_folds + s", "s * Shape::neuron_folds + n"),
    ("binary_mvau.hpp", "s == 0 ?", "s <= 1 ?"),
    ("binary_mvau.hpp", "if (s == Shape::synapse_folds - 1) out", "out"),
    ("common.hpp", "~(a ^ b)", "(a & b)"),
    ("common.hpp", "- width;", "- width + 1;"),
]


@pytest.mark.slow
def test_mutations_are_caught(tmp_path: Path) -> None:
    """Faults put into the header on purpose."""
    assert mutants_caught(cases([(3, 24, 6, 6, 2)], 2), MUTATIONS, tmp_path) == MUTATIONS
