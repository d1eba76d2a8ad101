"""What operators are mapped to, simulated: the netlist does what the RTL does, on each target that has models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness import check_op, random_frame
from netlist import netlist_dut

from bvit_hw.ops.base import HwOp
from bvit_hw.ops.binary_mvau import BinaryMVAU
from bvit_hw.ops.multi_pool import MultiPool
from bvit_hw.targets import XC7, Target
from bvit_hw.targets.ecp5 import TARGET as ECP5
from tests.op_samples import OPS, VARIANTS

TARGETS = [pytest.param(XC7, id="xc7"), pytest.param(ECP5, id="ecp5")]
#: those in UltraRAM are of another target, which has no models
SAMPLES = [op for op in (*OPS, *VARIANTS) if op.target is XC7]


def check_netlist(op: HwOp, folder: Path) -> None:
    """Under traffic that pauses on both sides, and with resets in its midst."""
    rng = np.random.default_rng(1)
    params = op.random_params(rng)
    frames = [random_frame(op, rng) for _ in range(3)]
    dut = netlist_dut(op, params, folder)
    check_op(op, params, frames, dut=dut, patterns=("both", "reset"), check_cycles=False)


@pytest.mark.parametrize("target", TARGETS)
def test_a_matrix_units_netlist(target: Target, tmp_path: Path) -> None:
    """Its weights are in block RAM."""
    op = BinaryMVAU(tokens=4, cols=32, rows=64, simd=16, pe=2).on(target)
    assert op.resources().bram18 > 0
    check_netlist(op, tmp_path)


def test_a_pools_netlist(tmp_path: Path) -> None:
    """Its sums are read by a multiplier and by others: what Yosys packs wrongly by itself (flows/dsp_sums.py)."""
    op = next(op for op in SAMPLES if isinstance(op, MultiPool) and op.resources().dsp > 0)
    check_netlist(op.on(XC7), tmp_path)


def test_other_weights_are_noticed(tmp_path: Path) -> None:
    """The bench sees the netlist's own memories."""
    op = BinaryMVAU(tokens=4, cols=32, rows=64, simd=16, pe=2).on(ECP5)
    rng = np.random.default_rng(1)
    dut = netlist_dut(op, op.random_params(rng), tmp_path)
    with pytest.raises(AssertionError):
        check_op(op, op.random_params(rng), [random_frame(op, rng)], dut=dut, patterns=("full",), check_cycles=False)


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", SAMPLES, ids=lambda op: op.op_type)
def test_netlist(op: HwOp, target: Target, tmp_path: Path) -> None:
    """One of each kind, and the variants."""
    check_netlist(op.on(target), tmp_path)
