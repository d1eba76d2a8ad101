"""Random configurations side by side: golden function, RTL in a simulation of many, compiled HLS templates.

A few of each template in every run, 200 of each in the slow suite. Seeds are hypothesis' own: it reports the
configurations that failed.
"""

from __future__ import annotations

import itertools
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hls_checks import check_hls
from hls_samples import STRATEGIES
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rtl_bag import run_bag

from bvit_hw.codegen.hls import vector_frames
from bvit_hw.errors import ConfigError
from bvit_hw.flows.gxx import Toolchain
from bvit_hw.ops.base import HwOp, Params

#: configurations in one program, one simulation and one example: what compiles once serves all of them
BATCH = 20
FRAMES = 4
Vectors = list[tuple[np.ndarray, ...]]


def with_data(op: HwOp, seed: int) -> tuple[HwOp, Params, Vectors] | None:
    """Random parameters and frames within the integer contract; None where these widths leave it whatever comes in."""
    rng = np.random.default_rng(seed)
    params = op.random_params(rng)
    try:
        return op, params, vector_frames(op, params, FRAMES, seed)
    except ConfigError:
        return None


def side_by_side(ops: list[HwOp], seed: int) -> int:
    """All of ``ops`` in HLS and in RTL, the same frames, one golden function; how many there were data for."""
    cases = [case for op in ops if (case := with_data(op, seed)) is not None]
    assert len(cases) > len(ops) // 2, "most configurations leave the integer contract: the strategy is no good"
    check_hls(cases, Toolchain(level=0))
    for stall in (False, True):
        with tempfile.TemporaryDirectory(prefix="bvit-bag-") as folder:
            runs = run_bag(cases, Path(folder), stall=stall, seed=seed + 1)
        for (op, params, frames), run in zip(cases, runs, strict=True):
            for number, (frame, outputs) in enumerate(zip(frames, run.frames, strict=True)):
                for found, wanted in zip(outputs, op.golden(params, *frame), strict=True):
                    assert np.array_equal(found, wanted), f"{op}: RTL, frame {number}, stall {stall}"
            # The first frame fills the pipeline, nothing comes after the last.
            steady = [b - a for a, b in itertools.pairwise(run.ends)][1:-1]
            assert stall or steady == [op.cycles] * len(steady), f"{op}: {steady} cycles a frame, model {op.cycles}"
    return len(cases)


def fuzz(batch: st.SearchStrategy[list[HwOp]], batches: int, *, always_the_same: bool) -> int:
    """Configurations compared, over ``batches`` batches."""
    done, begun = 0, False

    @settings(
        max_examples=batches + 1, derandomize=always_the_same, database=None, deadline=None, phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(ops=batch, seed=st.integers(0, 1 << 30))
    def run(ops: list[HwOp], seed: int) -> None:
        nonlocal done, begun
        if not begun:
            # hypothesis begins with the least example: the simplest configuration, over and over.
            begun = True
            return
        done += side_by_side(ops, seed)

    run()
    return done


def of_each(count: int) -> st.SearchStrategy[list[HwOp]]:
    """``count`` configurations of every template."""
    kinds = [st.lists(strategy, min_size=count, max_size=count) for strategy in STRATEGIES.values()]
    return st.tuples(*kinds).map(lambda lists: [op for ops in lists for op in ops])


def test_a_few() -> None:
    """Three configurations of every template, the same ones every time, all in one program and one simulation."""
    assert fuzz(of_each(3), 1, always_the_same=True) >= 8


@pytest.mark.slow
@pytest.mark.parametrize("op_type", STRATEGIES)
def test_two_hundred(op_type: str) -> None:
    """200 configurations of a template; some more are drawn, for a few leave the integer contract whatever comes in."""
    batch = st.lists(STRATEGIES[op_type], min_size=BATCH, max_size=BATCH)
    assert fuzz(batch, 240 // BATCH, always_the_same=False) >= 200
