"""Networks with all four operators in their HLS flavour: through our own executor, and through FINN's cppsim."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch

from bvit_hw.contract import FrozenGraph
from bvit_hw.data import load_dataset
from bvit_hw.errors import ConfigError, LoweringError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.flows.gxx import Toolchain
from bvit_hw.flows.hls_graph import HlsGraphRun, run_graph
from bvit_hw.freeze import freeze
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.graph.hw_graph import HwGraph
from bvit_hw.graph.implementation import choose_implementations
from bvit_hw.models import load_checkpoint, shipped_checkpoint
from bvit_hw.ops.base import HwOp
from bvit_hw.ops.registry import hls_op_types

PART = "xc7z020clg400-1"


@cache
def frozen() -> FrozenGraph:
    return freeze(load_checkpoint(shipped_checkpoint("tiny-digits")))


def middle_folding(op: HwOp) -> HwOp:
    """A folding between the slowest and the fastest; wide beats take long to simulate."""
    if op.op_type not in hls_op_types():
        return op
    foldings = [f for f in op.foldings() if max(s.width for s in (*f.inputs, *f.outputs)) <= 128]
    return foldings[len(foldings) * 2 // 3]


@cache
def folded() -> HwGraph:
    graph = hw_graph_of(frozen())
    return graph.with_ops({node.name: middle_folding(node.op) for node in graph.nodes})


def check(images: int, level: int) -> HlsGraphRun:
    """``images`` test images: every value of every HLS operator equal to golden, the logits to frozen PyTorch."""
    pixels = load_dataset("digits").test_images[:images]
    chosen = choose_implementations(folded(), "hls")
    run = run_graph(folded(), pixels, chosen, jobs=2, toolchain=Toolchain(level=level))
    wanted = FrozenBinaryViT(frozen())(torch.from_numpy(pixels)).numpy()
    assert np.array_equal(run.outputs, wanted)
    return run


def test_whole_network_in_hls() -> None:
    run = check(2, level=0)
    kinds = {unit.op.op_type for unit in run.units.values()}
    assert kinds == {"BinaryMVAU", "ChannelAffine", "MultiPool", "BinaryAttention"}
    assert len(run.units) == sum(node.op.op_type in kinds for node in folded().nodes)


@pytest.mark.slow
def test_whole_network_on_32_images() -> None:
    check(32, level=1)


def test_a_wrong_parameter_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison can fail: golden with one weight turned over is no longer what the template computes."""
    node = next(n for n in folded().nodes if n.op.op_type == "BinaryMVAU")
    original = type(node.op).golden

    def turned(self: HwOp, params: dict[str, np.ndarray], *frames: np.ndarray) -> tuple[np.ndarray, ...]:
        weights = np.array(params["weights"])
        weights[0, 0] *= -1
        return original(self, {"weights": weights}, *frames)

    monkeypatch.setattr(type(node.op), "golden", turned)
    pixels = load_dataset("digits").test_images[:1]
    with pytest.raises(LoweringError, match=f"{node.name}: its HLS template"):
        run_graph(folded(), pixels, {node.name: "hls"})


def test_implementations() -> None:
    graph = folded()
    name = next(n.name for n in graph.nodes if n.op.op_type == "MultiPool")
    other = next(n.name for n in graph.nodes if n.op.op_type == "Binarize")
    assert set(choose_implementations(graph, "auto").values()) == {"rtl"}
    hls = choose_implementations(graph, "hls")
    assert hls[name] == "hls" and hls[other] == "rtl"
    one = choose_implementations(graph, "rtl", {name: "hls"})
    assert [n for n, flavour in one.items() if flavour == "hls"] == [name]
    assert choose_implementations(graph, "hls", {name: "auto"})[name] == "rtl"
    with pytest.raises(ConfigError, match="Binarize has no HLS template"):
        choose_implementations(graph, "auto", {other: "hls"})
    with pytest.raises(ConfigError, match=r"there is no such operator; those with both flavours: .*b0\.p"):
        choose_implementations(graph, "auto", {"b99.p": "hls"})


@pytest.fixture(scope="module")
def finn_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ.setdefault("FINN_BUILD_DIR", str(tmp_path_factory.mktemp("finn")))
    return Path(os.environ["FINN_BUILD_DIR"])


@pytest.mark.parametrize("whole", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["one-of-each", "whole"])
def test_finn_executes_the_templates(finn_folder: Path, whole: bool) -> None:
    """FINN's own passes: SpecializeLayers takes the flavour asked for, cppsim runs it inside the graph."""
    from bvit_hw.finn.hls import register_hls

    register_hls()
    from finn.transformation.fpgadataflow.compile_cppsim import CompileCppSim
    from finn.transformation.fpgadataflow.prepare_cppsim import PrepareCppSim
    from finn.transformation.fpgadataflow.prepare_ip import PrepareIP
    from finn.transformation.fpgadataflow.set_exec_mode import SetExecMode
    from finn.transformation.fpgadataflow.specialize_layers import SpecializeLayers
    from qonnx.core.onnx_exec import execute_onnx
    from qonnx.custom_op.registry import getCustomOp

    from bvit_hw.finn.execute import Executor
    from bvit_hw.finn.implementation import with_implementations
    from bvit_hw.finn.lower import hw_graph, lower_model
    from bvit_hw.freeze import random_frozen
    from bvit_hw.models import BinaryViTConfig
    from bvit_hw.qonnx import to_qonnx

    config = BinaryViTConfig.create(
        image_size=8, channels=(8,), depths=(1,), heads=(2,), mlp_widths=(8,), reductions=(1,), classes=3
    )
    model = lower_model(to_qonnx(random_frozen(config, seed=3)))
    ones = {node.op_type: node.name for node in model.graph.node if node.op_type in hls_op_types()}
    chosen = choose_implementations(hw_graph(model), "hls" if whole else "auto", dict.fromkeys(ones.values(), "hls"))
    special = with_implementations(model, chosen).transform(SpecializeLayers(PART))
    # FINN renames what it specializes.
    outputs = {node.output[0]: chosen[node.name] for node in model.graph.node}
    assert {node.output[0]: node.op_type.rpartition("_")[2] for node in special.graph.node} == outputs
    special = special.transform(PrepareCppSim(1)).transform(CompileCppSim(1)).transform(SetExecMode("cppsim"))
    image = np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    found = execute_onnx(special, {model.graph.input[0].name: image[None].astype(np.float32)}, True)
    for name, values in Executor(image).run(model).items():
        assert np.array_equal(found[name], values), name
    # Without its program a node says what to do.
    node = next(n for n in special.graph.node if n.op_type == "MultiPool_hls")
    getCustomOp(node).set_nodeattr("executable_path", "")
    with pytest.raises(LoweringError, match="run PrepareCppSim, CompileCppSim"):
        getCustomOp(node).execute_node(dict(found), special.graph)
    # Projects for Vitis HLS, by FINN's own pass.
    prepared = special.transform(PrepareIP(PART, 10.0))
    for node in prepared.graph.node:
        if node.op_type.endswith("_hls"):
            folder = Path(getCustomOp(node).get_nodeattr("code_gen_dir_ipgen"))
            assert (folder / "run_hls.tcl").is_file() and (folder / "bvit" / "common.hpp").is_file()
            assert f"open_project -reset project_{node.name}\n" in (folder / "run_hls.tcl").read_text()
