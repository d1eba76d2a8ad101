"""Import of the paper's checkpoints: against the published code's numbers, and against a second implementation."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import asdict, replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.plain_binaryvit import SMALL_224, PlainBinaryViT, PlainSizes
from bvit_hw.errors import CheckpointError
from bvit_hw.models import PRESETS, BinaryViTConfig
from bvit_hw.paper import from_paper_state, load_paper_checkpoint, to_paper_state
from bvit_hw.paper.state import config_from_paper_state
from tests.paper_nets import plain_sizes, settled, sizes_strategy

REFERENCE = Path(__file__).parents[2] / ".." / "shared" / "reference"
TINY: dict[str, Any] = {"heads": (1, 2, 4, 8), "reduction": (4, 2, 1, 1)}

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"reference numbers are not at {REFERENCE}")

_DEIT = PlainSizes(
    image_size=224, patch_size=16, channels=(384,), depths=(12,), heads=(6,), mlp_widths=(1536,), reductions=(1,),
    classes=1000, stem_norm=False, affine=False, pool_branches=False,
)  # fmt: skip
PUBLISHED = {
    "small-224": SMALL_224,
    "small-224-some-fp": replace(SMALL_224, some_fp=True),
    "deit-baseline": replace(_DEIT, class_token=True),
    "deit-avg_pool": _DEIT,
    "deit-multi_branch": replace(_DEIT, pool_branches=True),
    "deit-affine": replace(_DEIT, pool_branches=True, affine=True),
}


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The reference folder's own script, which rebuilds its states and images."""
    spec = importlib.util.spec_from_file_location("make_reference_state", REFERENCE / "make_reference_state.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relative_error(ours: torch.Tensor, theirs: np.ndarray | torch.Tensor) -> float:
    theirs = torch.as_tensor(theirs)
    return float((ours - theirs).abs().max() / theirs.abs().max())


@needs_reference
@pytest.mark.parametrize("name", ["tiny-32", "tiny-32-some-fp"])
def test_small_networks_agree_block_by_block(maker: ModuleType, name: str) -> None:
    model = from_paper_state(maker.state(name), **TINY)
    assert model.mode == "float" and not model.training
    images = torch.from_numpy(maker.images(8, 32))
    traced = model.trace(images)
    with np.load(REFERENCE / f"{name}.npz") as reference:
        for block in range(5):
            assert relative_error(traced[f"b{block}.x"][:1], reference[f"act.layer{block}"]) < 1e-4
        assert relative_error(traced["logits"], reference["logits"]) < 1e-4
        assert relative_error(model.double().trace(images.double())["logits"], reference["logits64"]) < 1e-12


@needs_reference
def test_plain_vit_agrees_in_its_first_block(maker: ModuleType) -> None:
    model = from_paper_state(maker.state("deit-affine"))
    images = torch.from_numpy(maker.images(2, 224))
    traced = model.trace(images)
    with np.load(REFERENCE / "deit-affine.npz") as reference:
        assert relative_error(traced["b0.x"][:1], reference["act.layer0"]) < 1e-4
        # Float32 rounding flips signs in a deep network: the published code is this far from its own float64 result.
        bound = np.abs(reference["logits"] - reference["logits64"]).max() / np.abs(reference["logits"]).max()
        assert relative_error(traced["logits"], reference["logits"]) < max(3 * bound, 0.05)


@pytest.mark.slow
@needs_reference
def test_plain_vit_is_the_published_one_in_double_precision(maker: ModuleType) -> None:
    """In float64 no sign flips, so that all twelve blocks agree."""
    model = from_paper_state(maker.state("deit-affine")).double()
    logits = model(torch.from_numpy(maker.images(2, 224)).double()).detach()
    with np.load(REFERENCE / "deit-affine.npz") as reference:
        assert relative_error(logits, reference["logits64"]) < 1e-12


@needs_reference
@pytest.mark.parametrize("name", PUBLISHED)
def test_sizes_are_inferred_for_every_published_network(name: str) -> None:
    shapes = json.loads((REFERENCE / "keys.json").read_text())[name]
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    assert config_from_paper_state(state) == PRESETS[name]


@needs_reference
@pytest.mark.parametrize("name", ["small-224", "small-224-some-fp", "deit-baseline"])
def test_the_plain_implementation_has_the_published_names(name: str) -> None:
    with torch.device("meta"):
        state = PlainBinaryViT(PUBLISHED[name]).state_dict()
    assert {key: list(value.shape) for key, value in state.items()} == json.loads(
        (REFERENCE / "keys.json").read_text()
    )[name]


@needs_reference
@pytest.mark.parametrize(
    "name", ["small-224", *(pytest.param(n, marks=pytest.mark.slow) for n in PUBLISHED if n != "small-224")]
)
def test_every_published_network_loads_strictly(maker: ModuleType, name: str) -> None:
    shapes = json.loads((REFERENCE / "keys.json").read_text())[name]
    state = {key: maker._draw(key, tuple(shape)) for key, shape in shapes.items()}
    state = {key: np.abs(value) if key.endswith("running_var") else value for key, value in state.items()}
    back = to_paper_state(from_paper_state(state))
    assert list(back.keys() ^ state.keys()) == []
    assert all(np.array_equal(back[key].numpy(), state[key]) for key in state)


def _agrees(sizes: PlainSizes, path: Path, seed: int) -> None:
    """Write a plain network as the published code would, import the file, compare every block in double precision."""
    network, images = settled(sizes, seed)
    torch.save({"model": network.state_dict(), "epoch": 299, "optimizer": {"state": {}, "param_groups": []}}, path)
    model = load_paper_checkpoint(path, heads=sizes.heads, reduction=sizes.reductions)
    assert plain_sizes(model.config) == {key: tuple(v) if isinstance(v, tuple | list) else v
                                         for key, v in asdict(sizes).items()}  # fmt: skip
    traced = model.double().trace(images.double())
    with torch.no_grad():
        blocks = network.double().blocks(images.double())
        logits = network.head(blocks[-1])
    assert len(blocks) == sum(name.endswith(".y") for name in traced) == sum(sizes.depths)
    for index, block in enumerate(blocks):
        assert relative_error(traced[f"b{index}.x"], block) < 1e-10, f"block {index}"
    assert relative_error(traced["logits"], logits) < 1e-10


@given(sizes=sizes_strategy(), seed=st.integers(0, 2**16))
@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_drawn_networks_agree_with_the_plain_implementation(tmp_path: Path, sizes: PlainSizes, seed: int) -> None:
    _agrees(sizes, tmp_path / "net.pth", seed)


@pytest.mark.slow
@given(sizes=sizes_strategy(), seed=st.integers(0, 2**16))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_many_drawn_networks_agree(tmp_path: Path, sizes: PlainSizes, seed: int) -> None:
    _agrees(sizes, tmp_path / "net.pth", seed)


@pytest.mark.parametrize("some_fp", [False, True])
def test_seventeen_classes_in_single_precision(some_fp: bool) -> None:
    sizes = PlainSizes(
        image_size=32, channels=(32, 64, 128, 256), depths=(2, 1, 3, 2), heads=(2, 2, 8, 4), classes=17,
        mlp_widths=(64, 256, 256, 512), reductions=(2, 4, 1, 1), some_fp=some_fp,
    )  # fmt: skip
    network, images = settled(sizes, seed=5)
    traced = from_paper_state(network.state_dict(), heads=sizes.heads, reduction=sizes.reductions).trace(images)
    with torch.no_grad():
        for index, block in enumerate(network.blocks(images)):
            assert relative_error(traced[f"b{index}.x"], block) < 1e-4, f"block {index}"


def test_the_way_back_is_exact() -> None:
    sizes = PlainSizes(
        image_size=24, patch_size=2, channels=(6, 12), depths=(1, 2), heads=(3, 2), mlp_widths=(12, 24),
        reductions=(3, 1), classes=4, in_channels=1,
    )  # fmt: skip
    state = settled(sizes, seed=1)[0].state_dict()
    model = from_paper_state(state, heads=sizes.heads, reduction=sizes.reductions)
    assert model.config.mean == (0.5,) and model.config.in_channels == 1
    back = to_paper_state(model)
    assert back.keys() == state.keys() and all(torch.equal(back[name], state[name]) for name in state)


# What shapes do not show, and what contradicts itself.

TINY_SIZES = PlainSizes(
    image_size=32, channels=(8, 16, 32, 64), depths=(1, 1, 2, 1), heads=(1, 2, 4, 8), mlp_widths=(16, 32, 64, 128),
    reductions=(8, 4, 1, 1), classes=10,
)  # fmt: skip


def _state(sizes: PlainSizes) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return dict(PlainBinaryViT(sizes).state_dict())


def test_heads_and_pooling_are_the_papers_by_default() -> None:
    config = config_from_paper_state(_state(TINY_SIZES))
    assert config.heads == (1, 2, 4, 8) and config.reductions == (8, 4, 1, 1)
    plain = replace(_DEIT, image_size=32, depths=(1,), channels=(128,), mlp_widths=(128,))
    assert config_from_paper_state(_state(plain)).heads == (2,)
    wide = replace(TINY_SIZES, channels=(128, 256, 512, 1024), mlp_widths=(128, 256, 512, 1024))
    with torch.device("meta"):
        assert config_from_paper_state(dict(PlainBinaryViT(wide).state_dict())).heads == (2, 4, 8, 16)
    none = replace(TINY_SIZES, reductions=(1, 1, 1, 1))
    assert config_from_paper_state(_state(none)).reductions == (1, 1, 1, 1)


def test_what_cannot_be_seen_is_asked_for() -> None:
    three = replace(TINY_SIZES, channels=(8, 16, 32), depths=(1, 1, 1), mlp_widths=(8, 16, 32), reductions=(4, 1, 1))
    with pytest.raises(CheckpointError, match=r"reduction of 3 stages cannot be inferred; give --reduction"):
        config_from_paper_state(_state(three))
    late = replace(TINY_SIZES, reductions=(8, 4, 2, 1))
    with pytest.raises(CheckpointError, match=r"other ones than the paper's; give --reduction"):
        config_from_paper_state(_state(late))
    level = replace(TINY_SIZES, channels=(8, 8, 16, 32), mlp_widths=(16, 16, 32, 64), depths=(2, 1, 1, 1))
    state = _state(level)
    with pytest.raises(CheckpointError, match=r"cannot tell stages of \[8, 8, 16, 32\] channels apart; give --depths"):
        config_from_paper_state(state)
    assert config_from_paper_state(state, depths=(2, 1, 1, 1)).depths == (2, 1, 1, 1)
    with pytest.raises(CheckpointError, match=r"depths=\(1, 1, 1, 1\) given; there are 4 stages and 5 blocks"):
        config_from_paper_state(state, depths=(1, 1, 1, 1))


def test_wrong_heads_and_pooling_are_refused() -> None:
    state = _state(TINY_SIZES)
    with pytest.raises(CheckpointError, match="heads=3 does not divide"):
        config_from_paper_state(state, heads=(3, 2, 4, 8))
    with pytest.raises(CheckpointError, match="the network has 4 stages"):
        config_from_paper_state(state, heads=(1, 2))
    with pytest.raises(CheckpointError, match=r"but the blocks of stage 0 have key/value pooling"):
        config_from_paper_state(state, reduction=(1, 2, 1, 1))
    with pytest.raises(CheckpointError, match=r"but the blocks of stage 2 have no key/value pooling"):
        config_from_paper_state(state, reduction=(8, 2, 2, 1))
    with pytest.raises(CheckpointError, match=r"reductions=3 does not divide the side 8"):
        config_from_paper_state(state, reduction=(3, 4, 1, 1))


def test_states_that_are_no_binaryvit() -> None:
    with pytest.raises(CheckpointError, match=r"nothing says how many channels stage 0 has"):
        from_paper_state({"layer1.0.conv1.weight": np.zeros((64, 3, 3, 3), np.float32)})
    state = _state(TINY_SIZES)
    stem = {name: value for name, value in state.items() if "encoder" not in name}
    with pytest.raises(CheckpointError, match=r"no tensor is named vit\.encoder\.layer\.0\."):
        from_paper_state(stem)
    state["vit.embeddings.position_embeddings"] = torch.zeros(1, 63, 8)
    for stage in (1, 2, 3):
        del state[f"vit.encoder.patch_embed{stage}.position_embeddings"]
    with pytest.raises(CheckpointError, match=r"has 63 tokens: no square"):
        from_paper_state(state)


@pytest.mark.parametrize("prefix", ["vit.encoder.patch_embed3.", "vit.encoder.patch_embed1.", "vit.encoder.layer.3."])
def test_whole_parts_that_are_missing_are_named(prefix: str) -> None:
    state = _state(TINY_SIZES)
    gone = {name: value for name, value in state.items() if name.startswith(prefix)}
    with pytest.raises(CheckpointError) as error:
        from_paper_state({name: value for name, value in state.items() if name not in gone})
    listed = {line.strip() for line in str(error.value).splitlines()[1:]}
    named = {name: value for name, value in gone.items() if not name.endswith("num_batches_tracked")}
    assert listed == {f"missing: {name} {tuple(value.shape)}" for name, value in named.items()}


def _check_faults(data: st.DataObject) -> None:
    """Some tensors go, some change shape or type, some are added: one message names them all, and no other."""
    plain = replace(_DEIT, image_size=32, depths=(1,), channels=(24,), mlp_widths=(24,), heads=(3,), classes=7)
    sizes = data.draw(st.sampled_from([replace(plain, class_token=True), replace(TINY_SIZES, depths=(1, 1, 1, 1))]))
    state = _state(sizes)
    chosen = data.draw(st.lists(st.sampled_from(sorted(state)), min_size=1, max_size=6, unique=True))
    expected = []
    for name in chosen:
        fault = data.draw(st.sampled_from(["missing", "shape", "type", "finite"]))
        value = state.pop(name)
        if fault == "missing" and name.endswith("num_batches_tracked"):
            continue  # as old files have it: no fault
        if fault == "missing":
            # Its shape follows from other tensors, or is the paper's where nothing else shows it.
            expected.append(f"missing: {name} (")
            continue
        if fault == "shape":
            state[name] = torch.zeros((*value.shape, 2))
            expected.append(f"wrong shape: {name} {tuple(state[name].shape)}, expected (")
        elif fault == "type" or name.endswith("num_batches_tracked"):
            state[name] = value.to(torch.complex64)
            expected.append(f"wrong type: {name} torch.complex64")
        else:
            state[name] = torch.full_like(value, float("inf"))
            expected.append(f"not finite: {name}")
    for name in data.draw(st.lists(st.sampled_from(["fc.bias", "vit.encoder.extra", "vit.pooler.dense"]), unique=True)):
        state[name] = torch.zeros(3)
        expected.append(f"unexpected: {name} (3,)")
    if not expected:
        from_paper_state(state, heads=sizes.heads, reduction=sizes.reductions)
        return
    with pytest.raises(CheckpointError) as error:
        from_paper_state(state, heads=sizes.heads, reduction=sizes.reductions)
    lines = str(error.value).splitlines()
    listed = [line.strip() for line in lines[1:]]
    assert all(any(line.startswith(entry) for line in listed) for entry in expected), listed
    # A counter of another shape is of another type as well; nothing else has two lines, nothing right has one.
    twice = [entry for entry in expected if entry.startswith("wrong shape") and "num_batches_tracked" in entry]
    assert len(listed) == len(expected) + len(twice)
    assert f"{len(listed)} tensors do not fit" in lines[0] or twice


@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_every_wrong_tensor_is_named(data: st.DataObject) -> None:
    _check_faults(data)


@pytest.mark.slow
@given(data=st.data())
@settings(max_examples=60, deadline=None)
def test_every_wrong_tensor_is_named_at_length(data: st.DataObject) -> None:
    _check_faults(data)


def test_half_precision_states_are_read() -> None:
    state = {k: v.half() if v.is_floating_point() else v for k, v in _state(TINY_SIZES).items()}
    model = from_paper_state(state)
    assert torch.equal(model.head.classifier.weight.detach(), state["classifier.weight"].float())
    assert isinstance(model.config, BinaryViTConfig)
