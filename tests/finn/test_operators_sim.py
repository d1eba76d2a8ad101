"""The wrappers that FINN stitches, in simulation: padded ports, active-low reset, memories by absolute path."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest
from qonnx.custom_op.registry import getCustomOp

from bvit_hw.finn.hw_node import hw_node_of
from bvit_hw.finn.lower import lower_model
from bvit_hw.finn.node import base_type
from bvit_hw.finn.operators import register
from bvit_hw.freeze import random_frozen
from bvit_hw.qonnx import to_qonnx
from tests.frozen_factory import CONFIGS

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "sim"))

PART = "xc7z020clg400-1"


@pytest.mark.sim
@pytest.mark.parametrize("op_type", ["BinaryMVAU", "ChannelAffine", "BinaryAttention"])
def test_wrapper_streams_what_golden_says(op_type: str, tmp_path: Path) -> None:
    from harness import Dut, DutStream, check_op, random_frame

    os.environ.setdefault("FINN_BUILD_DIR", str(tmp_path))
    register()
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers

    model = lower_model(to_qonnx(random_frozen(CONFIGS["pyramid"], seed=8)))
    model = model.transform(SpecializeLayers(PART))
    model = model.transform(PrepareIP(PART, 10.0))
    node = next(n for n in model.graph.node if base_type(n) == op_type)
    inst, hw = getCustomOp(node), hw_node_of(node, model)
    names = inst.get_verilog_top_module_intf_names()
    dut = Dut(
        module=inst.get_nodeattr("gen_top_module"),
        sources=tuple(Path(f) for f in inst.get_rtl_file_list(abspath=True)),
        inputs=tuple(
            DutStream(prefix=name, width=stream.width, port_width=width)
            for (name, width), stream in zip(names["s_axis"], hw.op.inputs, strict=True)
        ),
        outputs=tuple(
            DutStream(prefix=name, width=stream.width, port_width=width)
            for (name, width), stream in zip(names["m_axis"], hw.op.outputs, strict=True)
        ),
        clock="ap_clk",
        reset="ap_rst_n",
        reset_active_low=True,
    )
    rng = np.random.default_rng(1)
    check_op(hw.op, hw.params, [random_frame(hw.op, rng) for _ in range(2)], dut=dut, patterns=("full", "both"))
