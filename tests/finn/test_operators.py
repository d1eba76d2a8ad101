"""FINN sees the operators: specialization, generation, estimates and execution through its own machinery."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from onnx import helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.core.onnx_exec import execute_onnx
from qonnx.custom_op.registry import getCustomOp
from qonnx.transformation.infer_datatypes import InferDataTypes
from qonnx.transformation.infer_shapes import InferShapes

from bvit_hw.errors import LoweringError
from bvit_hw.finn.execute import Executor
from bvit_hw.finn.lower import lower_model
from bvit_hw.finn.node import HW_DOMAIN, RTL_DOMAIN, RTL_SUFFIX, op_of
from bvit_hw.finn.operators import register
from bvit_hw.flows.verilator import lint
from bvit_hw.freeze import random_frozen
from bvit_hw.ops.registry import operators
from bvit_hw.qonnx import to_qonnx
from tests.frozen_factory import CONFIGS, random_pixels

PART = "xc7z020clg400-1"


@pytest.fixture(scope="module", autouse=True)
def registered(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[type, type]]:
    os.environ.setdefault("FINN_BUILD_DIR", str(tmp_path_factory.mktemp("finn")))
    return register()


@cache
def lowered() -> ModelWrapper:
    return lower_model(to_qonnx(random_frozen(CONFIGS["pyramid"], seed=8)))


@cache
def specialized() -> ModelWrapper:
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers

    return lowered().transform(SpecializeLayers(PART))


def test_every_operator_is_in_finns_dictionaries(registered: dict[str, tuple[type, type]]) -> None:
    import finn.custom_op.fpgadataflow as hw
    import finn.custom_op.fpgadataflow.rtl as rtl

    assert set(registered) == set(operators())
    for op_type, (cls, rtl_cls) in registered.items():
        assert hw.custom_op[op_type] is cls
        assert rtl.custom_op[op_type + RTL_SUFFIX] is rtl_cls
        assert "_v" not in op_type
    assert register() is registered, "registering twice must change nothing"


def test_execution_in_qonnx_is_execution_in_golden() -> None:
    """qonnx's executor finds the operators through FINN and gives the tensors of our own executor."""
    image = random_pixels(CONFIGS["pyramid"], 1)[0]
    wanted = Executor(image).run(lowered())
    source = lowered().graph.input[0].name
    for model in (lowered(), specialized()):
        found = execute_onnx(model, {source: image[None].astype(np.float32)}, return_full_exec_context=True)
        for name, values in wanted.items():
            assert np.array_equal(found[name], values), name


def test_specialization_gives_rtl_nodes() -> None:
    special = {node.output[0]: node for node in specialized().graph.node}
    assert len(special) == len(lowered().graph.node)
    for before in lowered().graph.node:
        after = special[before.output[0]]
        assert before.domain == HW_DOMAIN
        assert after.domain == RTL_DOMAIN
        assert after.op_type == before.op_type + RTL_SUFFIX
        assert op_of(after) == op_of(before)


def test_shapes_and_datatypes_survive_inference() -> None:
    shapes = {v.name: lowered().get_tensor_shape(v.name) for v in lowered().graph.value_info}
    types = {name: lowered().get_tensor_datatype(name) for name in shapes}
    model = lowered().transform(InferShapes()).transform(InferDataTypes())
    assert {n: model.get_tensor_shape(n) for n in shapes} == shapes
    assert {n: model.get_tensor_datatype(n) for n in shapes} == types


def test_wrong_datatype_is_refused() -> None:
    model = ModelWrapper(lowered().model, make_deepcopy=True)
    from qonnx.core.datatype import DataType

    node = next(n for n in model.graph.node if n.op_type == "Binarize")
    model.set_tensor_datatype(node.input[0], DataType["INT3"])
    with pytest.raises(LoweringError, match="INT3"):
        getCustomOp(node).infer_node_datatype(model)


def test_finn_asks_and_the_operator_answers() -> None:
    from finn.analysis.fpgadataflow.exp_cycles_per_layer import exp_cycles_per_layer
    from finn.analysis.fpgadataflow.res_estimation import res_estimation

    model = specialized()
    cycles = model.analysis(exp_cycles_per_layer)
    estimates = res_estimation(model, PART)
    for node in model.graph.node:
        op, inst = op_of(node), getCustomOp(node)
        resources = op.resources()
        assert cycles[node.name] == op.cycles
        assert estimates[node.name]["LUT"] == round(resources.lut)
        assert estimates[node.name]["BRAM_18K"] == round(resources.bram18)
        assert estimates[node.name]["DSP"] == round(resources.dsp)
        names = inst.get_verilog_top_module_intf_names()
        assert [name for name, _ in names["s_axis"]] == [f"in{i}_V" for i in range(len(op.inputs))]
        for i, stream in enumerate(op.inputs):
            assert int(np.prod(inst.get_folded_input_shape(i))) == stream.tokens * stream.channels
            assert inst.get_folded_input_shape(i)[-1] == stream.lanes
            assert int(np.prod(inst.get_normal_input_shape(i))) == stream.tokens * stream.channels
            assert inst.get_instream_width(i) == stream.width
        assert inst.get_number_output_values() == op.outputs[0].beats
        assert inst.verify_node()


@cache
def generated() -> ModelWrapper:
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP

    return specialized().transform(PrepareIP(PART, 10.0))


def test_prepare_ip_writes_wrapper_and_memories() -> None:
    for node in generated().graph.node:
        inst, op = getCustomOp(node), op_of(node)
        folder = Path(inst.get_nodeattr("code_gen_dir_ipgen"))
        top = inst.get_nodeattr("gen_top_module")
        assert inst.get_nodeattr("ip_path") == inst.get_nodeattr("ipgen_path") == str(folder)
        text = (folder / f"{top}.v").read_text()
        for i in range(len(op.inputs)):
            assert f"in{i}_V_tdata" in text
        memories = list(folder.glob("*.mem"))
        assert all(f'"{path}"' in text for path in memories)
        assert bool(memories) == any(p for p in node.input[len(op.inputs) :])
        files = inst.get_rtl_file_list(abspath=True)
        assert all(Path(file).is_file() for file in files)
        commands = inst.code_generation_ipi()
        assert commands[-1] == f"create_bd_cell -type module -reference {top} {node.name}"
        assert len(commands) == len(files) + 1


@pytest.mark.sim
@pytest.mark.parametrize("op_type", sorted({"BinaryMVAU", "BinaryAttention", "ChannelAffine", "PatchGather"}))
def test_wrapper_passes_lint(op_type: str) -> None:
    """One of each kind: parameters and memories, three streams, several streams, none but the streams."""
    node = next(n for n in generated().graph.node if n.op_type == op_type + RTL_SUFFIX)
    inst = getCustomOp(node)
    lint([Path(f) for f in inst.get_rtl_file_list(abspath=True)], inst.get_nodeattr("gen_top_module"))


def test_illegal_attributes_are_refused() -> None:
    node = ModelWrapper(lowered().model, make_deepcopy=True).graph.node[0]
    kept = [a for a in node.attribute if a.name != "pe"]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute("pe", 5)])
    with pytest.raises(Exception, match="pe=5"):
        getCustomOp(node).verify_node()
