"""QONNX equals the frozen network at every named tensor; the file is complete, deterministic and checked."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper
from qonnx.core.modelwrapper import ModelWrapper
from qonnx.custom_op.registry import getCustomOp

from bvit_hw.contract import FrozenGraph, FrozenNode
from bvit_hw.contract.header import model_hash
from bvit_hw.errors import ExportError, FreezeError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze, random_frozen
from bvit_hw.models import load_checkpoint, shipped_checkpoint
from bvit_hw.qonnx import execute_qonnx, export_qonnx, load_qonnx, to_qonnx
from tests.frozen_factory import CONFIGS, random_pixels


def _differences(graph: FrozenGraph, model: ModelWrapper, images: np.ndarray) -> list[str]:
    """Named tensors in which QONNX and the frozen network differ, in order."""
    want = FrozenBinaryViT(graph).trace(torch.from_numpy(images))
    got = execute_qonnx(model, images)
    assert list(got) == list(want)
    return [name for name in want if not np.array_equal(got[name], want[name].numpy())]


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> tuple[FrozenGraph, Path]:
    graph = random_frozen(CONFIGS["pyramid"], seed=6)
    path = tmp_path_factory.mktemp("export") / "model.onnx"
    export_qonnx(graph, path)
    return graph, path


@pytest.mark.parametrize("name", CONFIGS)
def test_equal_at_every_named_tensor(name: str) -> None:
    graph = random_frozen(CONFIGS[name], seed=8)
    images = random_pixels(CONFIGS[name], 4, seed=2)
    images[0], images[1] = 0, 255
    assert _differences(graph, to_qonnx(graph), images) == []


@pytest.mark.slow
def test_shipped_checkpoint_equal_at_every_named_tensor() -> None:
    from bvit_hw.data import load_dataset

    graph = freeze(load_checkpoint(shipped_checkpoint()))
    assert _differences(graph, to_qonnx(graph), load_dataset("digits").test_images[:16]) == []


def test_a_changed_parameter_is_seen(exported: tuple[FrozenGraph, Path]) -> None:
    """One coefficient off by one in the file: the comparison names the tensor where it enters, and nothing before."""
    graph, path = exported
    model = load_qonnx(path)
    coef = model.get_initializer("b1.f/bias").copy()
    coef += 2.0 ** next(n for n in graph.nodes if n.output == "b1.f").attrs["mid_shift"] * 300
    model.set_initializer("b1.f/bias", coef)
    assert _differences(graph, model, random_pixels(CONFIGS["pyramid"], 2))[0] == "b1.f"


def test_single_images_and_batches_agree(exported: tuple[FrozenGraph, Path]) -> None:
    model, images = load_qonnx(exported[1]), random_pixels(CONFIGS["pyramid"], 3, seed=4)
    together, parts = execute_qonnx(model, images), execute_qonnx(model, images, batch_size=2)
    assert all(np.array_equal(together[name], parts[name]) for name in together)


def test_file_is_complete_and_deterministic(exported: tuple[FrozenGraph, Path], tmp_path: Path) -> None:
    graph, path = exported
    model = load_qonnx(path)
    assert model.get_metadata_prop("bvit.model_hash") == model_hash(graph)
    assert json.loads(model.get_metadata_prop("bvit.config")) == graph.config
    exponents = json.loads(model.get_metadata_prop("bvit.exponents"))
    assert exponents == {name: t.exponent for name, t in graph.tensors.items()}
    for name, t in graph.tensors.items():
        assert model.get_tensor_shape(name) == [1, t.height, t.width, t.channels]
        kind = "BIPOLAR" if t.binary else f"{'INT' if t.signed else 'UINT'}{t.bits}"
        assert model.get_tensor_datatype(name).name == kind
    for tensor in model.graph.initializer:
        datatype = model.get_tensor_datatype(tensor.name)
        assert np.all(datatype.allowed(numpy_helper.to_array(tensor).astype(np.float32))), tensor.name
    again = tmp_path / "again.onnx"
    export_qonnx(graph, again)
    assert again.read_bytes() == path.read_bytes() and os.listdir(tmp_path) == [again.name]


def test_no_one_bit_integers(exported: tuple[FrozenGraph, Path]) -> None:
    model = load_qonnx(exported[1])
    quants = [node for node in model.graph.node if node.op_type == "Quant"]
    assert quants and all(model.get_initializer(node.input[3]) > 1 for node in quants)
    assert not [a for a in model.graph.quantization_annotation for p in a.quant_parameter_tensor_names
                if p.value in ("UINT1", "INT1", "BINARY")]  # fmt: skip


def test_only_attention_is_our_own(exported: tuple[FrozenGraph, Path]) -> None:
    model = load_qonnx(exported[1])
    domains = {node.op_type: node.domain for node in model.graph.node if node.domain}
    assert domains == {
        "Quant": "qonnx.custom_op.general", "BipolarQuant": "qonnx.custom_op.general",
        "BinaryAttention": "bvit_hw.export.ops",
    }  # fmt: skip
    node = next(node for node in model.graph.node if node.op_type == "BinaryAttention")
    before = model.get_tensor_datatype(node.output[0])
    getCustomOp(node).infer_node_datatype(model)
    assert model.get_tensor_datatype(node.output[0]) == before


def test_attention_in_64_bits() -> None:
    """A row whose exact sum decides otherwise than its float32 rounding would."""
    from qonnx.core.onnx_exec import execute_onnx

    keys, table, threshold = 700, [1, 32767], 94
    row_sum = (keys - 1) * 32767 + 1
    # 32767 * 2**16 against T * sum: both beyond 2**24.
    assert abs(32767 * 2**16 - threshold * row_sum) < 2**24 < threshold * row_sum
    inputs = {"q": np.ones((1, 1, 1, 1)), "k": np.ones((1, keys, 1, 1)), "v": np.ones((1, keys, 1, 1))}
    inputs["k"][0, 0] = -1
    infos = [onnx.helper.make_tensor_value_info(n, 1, v.shape) for n, v in inputs.items()]
    node = onnx.helper.make_node(
        "BinaryAttention", ["q", "k", "v", "t", "T"], ["y"], domain="bvit_hw.export.ops",
        heads=1, table_bits=15, table_shift=16,
    )  # fmt: skip
    constants = {"t": np.array(table, np.float32), "T": np.array(threshold, np.float32)}
    graph = onnx.helper.make_graph(
        [node], "one", infos, [onnx.helper.make_tensor_value_info("y", 1, (1, 1, 1, 1))],
        initializer=[numpy_helper.from_array(v, n) for n, v in constants.items()],
    )  # fmt: skip
    model = ModelWrapper(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)]))
    out = execute_onnx(model, {n: v.astype(np.float32) for n, v in inputs.items()})["y"]
    want = sum((32767 if j else 1) * 2**16 > threshold * row_sum for j in range(keys))
    assert out.item() == want == (keys - 1 if threshold * row_sum < 32767 * 2**16 else 0)


def test_inexact_or_unknown_is_not_exported() -> None:
    graph = random_frozen(CONFIGS["plain"], seed=1)
    nodes = list(graph.nodes)
    index = next(i for i, n in enumerate(nodes) if n.output == "b0.h")
    broken = FrozenNode(op="ChannelAffine", inputs=nodes[index].inputs, output="b0.h",
                        attrs={**nodes[index].attrs, "shift": (20,)}, params=nodes[index].params)  # fmt: skip
    nodes[index] = broken
    with pytest.raises(FreezeError, match=r"b0\.h: shifted input 0"):
        to_qonnx(FrozenGraph(tensors=graph.tensors, nodes=tuple(nodes), input="pixels", output="logits", config={}))
    nodes[index] = FrozenNode(op="Sort", inputs=broken.inputs, output="b0.h")
    with pytest.raises(ExportError, match=r"b0\.h: operation 'Sort' has no QONNX pattern"):
        to_qonnx(FrozenGraph(tensors=graph.tensors, nodes=tuple(nodes), input="pixels", output="logits", config={}))


def test_wrong_images(exported: tuple[FrozenGraph, Path]) -> None:
    model = load_qonnx(exported[1])
    with pytest.raises(ExportError, match=r"pixels: float64 of shape \(1, 16, 16, 3\) given"):
        execute_qonnx(model, np.zeros((1, 16, 16, 3)))
    with pytest.raises(ExportError, match=r"pixels: uint8 of shape \(16, 16, 3\) given"):
        execute_qonnx(model, np.zeros((16, 16, 3), dtype=np.uint8))


def test_files_that_are_none_of_ours(exported: tuple[FrozenGraph, Path], tmp_path: Path) -> None:
    data = exported[1].read_bytes()
    path = tmp_path / "model.onnx"
    for content in (b"", b"not a protobuf", data[: len(data) // 2]):
        path.write_bytes(content)
        with pytest.raises(ExportError, match=r"model\.onnx: "):
            load_qonnx(path)
    other = onnx.load_model_from_string(data)
    next(p for p in other.graph.metadata_props if p.key == "bvit.format").value = "0"
    path.write_bytes(other.SerializeToString())
    with pytest.raises(ExportError, match=r"bvit\.format is '0'; this version reads '1' and '2'"):
        load_qonnx(path)
    with pytest.raises(ExportError, match="cannot be read"):
        load_qonnx(tmp_path / "absent.onnx")
    with pytest.raises(ExportError, match="cannot be written"):
        export_qonnx(exported[0], tmp_path / "absent" / "model.onnx")
