"""Glue operators against their golden functions."""

from __future__ import annotations

import numpy as np
import pytest
from harness import check_op, random_frame

from bvit_hw.ops.fifo import Fifo


@pytest.mark.parametrize(
    ("depth", "style", "pe", "bits"), [(2, "small", 1, 1), (3, "small", 4, 7), (16, "small", 16, 9), (64, "large", 10, 8)]
)
def test_fifo(depth: int, style: str, pe: int, bits: int) -> None:
    op = Fifo(tokens=20, channels=4 * pe, bits=bits, signed=True, pe=pe, depth=depth, style=style)
    rng = np.random.default_rng(depth)
    measured = check_op(op, {}, [random_frame(op, rng) for _ in range(3)])
    assert measured.latency_first == (3 if style == "large" else 1)
