"""The file of standard operators equals the frozen network in onnxruntime; QONNX survives qonnx's own converter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import helper, numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.transformation.infer_shapes import InferShapes
from qonnx.transformation.qonnx_to_qcdq import QuantToQCDQ

from bvit_hw.contract import FrozenGraph
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import ExportError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze, random_frozen
from bvit_hw.models import load_checkpoint, shipped_checkpoint
from bvit_hw.qonnx import execute_qonnx, export_onnx, export_qonnx, load_qonnx, read_qonnx, to_plain_onnx, to_qonnx
from bvit_hw.qonnx.plain import _limits
from tests.frozen_factory import CONFIGS, random_pixels
from tests.other_networks import NETWORKS

LEVELS = (onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL)
_ALL = {**CONFIGS, **{f"other-{name}": network.config for name, network in NETWORKS.items()}}


def _session(model: onnx.ModelProto, level: object = LEVELS[1]) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = level
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


def _with_outputs(model: onnx.ModelProto, names: list[str]) -> onnx.ModelProto:
    """``model`` giving out the tensors ``names`` as well."""
    wide = onnx.ModelProto()
    wide.CopyFrom(model)
    infos = {info.name: info for info in model.graph.value_info}
    wide.graph.output.extend(infos[name] for name in names if name in infos)
    return wide


def _trace(graph: FrozenGraph, images: np.ndarray) -> dict[str, np.ndarray]:
    """The frozen network's named tensors, -1 / +1 where ONNX has those."""
    found = {name: t.numpy() for name, t in FrozenBinaryViT(graph).trace(torch.from_numpy(images)).items()}
    return {name: 2 * values - 1 if graph.tensors[name].binary else values for name, values in found.items()}


def _differences(graph: FrozenGraph, model: onnx.ModelProto, images: np.ndarray, level: object) -> list[str]:
    want = _trace(graph, images)
    names = [name for name in want if name != graph.input]
    got = _session(_with_outputs(model, names), level).run(names, {graph.input: images.astype(np.float32)})
    return [name for name, values in zip(names, got, strict=True) if not np.array_equal(values, want[name])]


@pytest.mark.parametrize("name", _ALL)
def test_equal_at_every_named_tensor(name: str) -> None:
    graph = random_frozen(_ALL[name], seed=8)
    images = random_pixels(_ALL[name], 5, seed=2)
    images[0], images[1] = 0, 255
    model = to_plain_onnx(to_qonnx(graph))
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""} and [o.domain for o in model.opset_import] == [""]
    for level in LEVELS:
        assert _differences(graph, model, images, level) == []
    logits = _trace(graph, images)[graph.output]
    for count in (1, 5):  # the file as it is, in which more can be fused
        assert np.array_equal(
            _session(model).run(None, {graph.input: images[:count].astype(np.float32)})[0], logits[:count]
        )


def test_shipped_checkpoint_from_its_file(tmp_path: Path) -> None:
    from bvit_hw.data import load_dataset

    graph = freeze(load_checkpoint(shipped_checkpoint()))
    path, images = tmp_path / "plain.onnx", load_dataset("digits").test_images[:64]
    export_onnx(graph, path)
    first = path.read_bytes()
    export_onnx(graph, path)
    assert path.read_bytes() == first and list(tmp_path.iterdir()) == [path]
    model = onnx.load(path)
    assert _differences(graph, model, images, LEVELS[1]) == []
    session = _session(model)
    assert session.get_inputs()[0].shape == ["N", *images.shape[1:]]
    assert session.get_modelmeta().custom_metadata_map["bvit.model_hash"] == model_hash(graph)
    with pytest.raises(ExportError, match=r"bvit\.format is None"):
        load_qonnx(path)


def test_shapes_are_those_that_onnx_infers() -> None:
    model = to_plain_onnx(to_qonnx(random_frozen(CONFIGS["token"], seed=8)))
    want = {info.name: info.type for info in model.graph.value_info}
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    del bare.graph.value_info[:]
    inferred = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
    found = {info.name: info.type for info in inferred.graph.value_info}
    assert found.keys() == want.keys() - {tensor.name for tensor in model.graph.initializer}
    assert [name for name, kind in found.items() if not _agree(kind.tensor_type, want[name].tensor_type)] == []


def _agree(inferred: onnx.TypeProto.Tensor, stored: onnx.TypeProto.Tensor) -> bool:
    """Whether type, rank and every size that could be inferred are those stored, the images' axis free."""
    pairs = list(zip(inferred.shape.dim, stored.shape.dim, strict=True))
    sizes = all(a.dim_value in (0, b.dim_value) for a, b in pairs)
    return inferred.elem_type == stored.elem_type and sizes


def test_a_changed_constant_is_seen() -> None:
    """One attention limit too low: the comparison names the attention's result first."""
    graph = random_frozen(CONFIGS["pyramid"], seed=6)
    model = to_plain_onnx(to_qonnx(graph))
    tensor = next(t for t in model.graph.initializer if t.name == "b0.att/limits")
    tensor.CopyFrom(numpy_helper.from_array(np.full_like(numpy_helper.to_array(tensor), -1), tensor.name))
    assert _differences(graph, model, random_pixels(CONFIGS["pyramid"], 2), LEVELS[1])[0] == "b0.att"


@pytest.mark.parametrize("threshold", [0, 1, 94, 4587, 2**18 - 1])
def test_limits_decide_as_the_contract_does(threshold: int) -> None:
    """Brute force around every limit, with sums up to where float32 would not do."""
    table, most = np.array([0, 1, 2, 181, 32767]), 700 * 32767
    limits = _limits(table, threshold, 16, most)
    for entry, limit in zip(table.tolist(), limits.tolist(), strict=True):
        sums = {0, 1, most - 1, most, *(max(0, min(most, limit + d)) for d in (-1, 0, 1, 2))}
        for total in sums:
            assert (total <= limit) == (entry * 2**16 > threshold * total)


def _attention(keys: int, threshold: int) -> ModelWrapper:
    sizes = {"q": (1, 1, 1, 1), "k": (1, keys, 1, 1), "v": (1, keys, 1, 1), "y": (1, 1, 1, 1)}
    infos = {name: helper.make_tensor_value_info(name, 1, size) for name, size in sizes.items()}
    node = helper.make_node(
        "BinaryAttention", ["q", "k", "v", "t", "T"], ["y"], name="y", domain="bvit_hw.export.ops",
        heads=1, table_bits=15, table_shift=16,
    )  # fmt: skip
    constants = {"t": np.array([1, 32767], np.float32), "T": np.array(threshold, np.float32)}
    graph = helper.make_graph(
        [node], "one", [infos[n] for n in "qkv"], [infos["y"]],
        initializer=[numpy_helper.from_array(v, n) for n, v in constants.items()],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    wrapper = ModelWrapper(model)
    wrapper.set_metadata_prop("bvit.format", "2")
    return wrapper


@pytest.mark.parametrize("threshold", [93, 94, 6000])
def test_attention_over_more_keys_than_float32_sums(threshold: int) -> None:
    keys = 700
    inputs = {name: np.ones((1, keys if name != "q" else 1, 1, 1), np.float32) for name in "qkv"}
    inputs["k"][0, 0] = -1
    (found,) = _session(to_plain_onnx(_attention(keys, threshold))).run(None, inputs)
    row_sum = (keys - 1) * 32767 + 1
    assert row_sum > 2**24
    assert found.item() == sum((1 if j == 0 else 32767) * 2**16 > threshold * row_sum for j in range(keys))


def test_more_keys_than_int32_sums_are_refused() -> None:
    with pytest.raises(ExportError, match=r"y: the sum of 66000 table entries can reach \d+, beyond 32 bits"):
        to_plain_onnx(_attention(66000, 94))


def test_qonnx_converted_by_qonnx_stays_exact(tmp_path: Path) -> None:
    """QuantToQCDQ takes every rounding mode for round-to-even: of integers, which Floor leaves, that is the same."""
    config = CONFIGS["pyramid"]
    graph, images = random_frozen(config, seed=6), random_pixels(config, 4)
    export_qonnx(graph, tmp_path / "model.onnx")
    converted = load_qonnx(tmp_path / "model.onnx").transform(QuantToQCDQ()).transform(InferShapes())
    assert converted.get_nodes_by_op_type("QuantizeLinear")
    want = _trace(graph, images)
    got = execute_qonnx(converted, images)
    assert [n for n in want if not np.array_equal(2 * got[n] - 1 if graph.tensors[n].binary else got[n], want[n])] == []
    plain = to_plain_onnx(converted)
    for level in LEVELS:
        assert _differences(graph, plain, images, level) == []


def _old_format(model: ModelWrapper) -> ModelWrapper:
    """The layout of format 1: the Quant rounds down itself."""
    producers = {node.output[0]: node for node in model.graph.node}
    for node in [node for node in model.graph.node if node.op_type == "Quant"]:
        floor = producers[node.input[0]]
        node.input[0] = floor.input[0]
        next(a for a in node.attribute if a.name == "rounding_mode").s = b"FLOOR"
        model.graph.node.remove(floor)
    model.set_metadata_prop("bvit.format", "1")
    return model


def test_files_of_format_1(tmp_path: Path) -> None:
    """They are read, lowered and translated as before."""
    from bvit_hw.finn.lower import lower_model

    config = CONFIGS["pyramid"]
    graph, images = random_frozen(config, seed=6), random_pixels(config, 2)
    path = tmp_path / "old.onnx"
    path.write_bytes(_old_format(to_qonnx(graph)).model.SerializeToString())
    assert _differences(graph, to_plain_onnx(load_qonnx(path)), images, LEVELS[1]) == []
    assert model_hash(read_qonnx(load_qonnx(path))) == model_hash(graph)
    new, old = lower_model(to_qonnx(graph)), lower_model(load_qonnx(path))
    assert [n.SerializeToString() for n in old.graph.node] == [n.SerializeToString() for n in new.graph.node]


def test_other_models_are_refused() -> None:
    model = to_qonnx(random_frozen(CONFIGS["plain"], seed=1))
    quant = next(node for node in model.graph.node if node.op_type == "Quant")
    next(a for a in quant.attribute if a.name == "signed").i = 0
    with pytest.raises(ExportError, match=rf"{quant.name}: Quant .*is not written by export_qonnx"):
        to_plain_onnx(model)
    model = _old_format(to_qonnx(random_frozen(CONFIGS["plain"], seed=1)))
    next(a for a in model.get_nodes_by_op_type("Quant")[0].attribute if a.name == "rounding_mode").s = b"ROUND"
    with pytest.raises(ExportError, match=r"Quant .*'ROUND'.*is not written by export_qonnx"):
        to_plain_onnx(model)
    model.graph.node[3].domain = "finn.custom_op.general"
    with pytest.raises(ExportError, match=rf"{model.graph.node[3].name}: .* of finn\.custom_op\.general"):
        to_plain_onnx(model)
