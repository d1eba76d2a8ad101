"""Random configurations side by side: golden function, RTL in the cocotb bench, compiled HLS template.

A few of each template in every run, 200 of each in the slow suite. Seeds are hypothesis' own: it reports the
configuration that failed, reduced.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from hls_checks import check_hls
from hls_samples import STRATEGIES, random_params
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from bvit_hw.codegen.hls import vector_frames
from bvit_hw.errors import ConfigError
from bvit_hw.flows.gxx import Toolchain
from bvit_hw.ops.base import HwOp, Params

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "sim"))

#: configurations in one program and one example: the headers are compiled once for all of them
BATCH = 10
FRAMES = 3
Vectors = list[tuple[np.ndarray, ...]]


def with_data(op: HwOp, seed: int) -> tuple[HwOp, Params, Vectors] | None:
    """Random parameters and frames within the integer contract; None where these widths leave it whatever comes in."""
    rng = np.random.default_rng(seed)
    params = random_params(op, rng)
    try:
        return op, params, vector_frames(op, params, FRAMES, seed)
    except ConfigError:
        return None


def side_by_side(ops: list[HwOp], seed: int, rtl: int) -> None:
    """All of ``ops`` in HLS, the first ``rtl`` of them in RTL as well, the same frames, one golden function."""
    from harness import check_op

    cases = [case for op in ops if (case := with_data(op, seed)) is not None]
    assert len(cases) > len(ops) // 2, "most configurations leave the integer contract: the strategy is no good"
    check_hls(cases, Toolchain(level=0))
    for op, params, frames in cases[:rtl]:
        # The random traffic is what the benches of sim/ are for.
        check_op(op, params, frames, patterns=("full",), min_frames=FRAMES, seed=seed, check_cycles=op.cycles > 200)


@pytest.mark.parametrize("op_type", STRATEGIES)
def test_a_few(op_type: str) -> None:
    """Four configurations in HLS, one of them in RTL; the same ones every time."""

    @settings(
        max_examples=1, derandomize=True, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ops=st.lists(STRATEGIES[op_type], min_size=4, max_size=4), seed=st.integers(0, 1 << 30))
    def run(ops: list[HwOp], seed: int) -> None:
        side_by_side(ops, seed, rtl=1)

    run()


@pytest.mark.slow
@pytest.mark.parametrize("op_type", STRATEGIES)
def test_two_hundred(op_type: str) -> None:
    """200 configurations of a template, all three ways."""
    done = 0

    @settings(
        max_examples=200 // BATCH, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ops=st.lists(STRATEGIES[op_type], min_size=BATCH, max_size=BATCH), seed=st.integers(0, 1 << 30))
    def run(ops: list[HwOp], seed: int) -> None:
        nonlocal done
        side_by_side(ops, seed, rtl=BATCH)
        done += len(ops)

    run()
    assert done >= 200
