"""Import of the paper's checkpoints against the numbers that the published code computes."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from bvit_hw.errors import CheckpointError
from bvit_hw.models import PRESETS, BinaryViT, BinaryViTConfig, from_paper_state
from bvit_hw.models.paper import _rules, config_from_paper_state

REFERENCE = Path(__file__).parents[1] / ".." / "shared" / "reference"
TINY: dict[str, Any] = {"heads": (1, 2, 4, 8), "reduction": (4, 2, 1, 1)}

needs_reference = pytest.mark.skipif(not REFERENCE.is_dir(), reason=f"reference numbers are not at {REFERENCE}")


@pytest.fixture(scope="module")
def maker() -> ModuleType:
    """The reference folder's own script, which rebuilds its states and images."""
    spec = importlib.util.spec_from_file_location("make_reference_state", REFERENCE / "make_reference_state.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def relative_error(ours: torch.Tensor, theirs: np.ndarray) -> float:
    return float(np.abs(ours.numpy() - theirs).max() / np.abs(theirs).max())


@needs_reference
@pytest.mark.parametrize("name", ["tiny-32", "tiny-32-some-fp"])
def test_small_networks_agree_block_by_block(maker: ModuleType, name: str) -> None:
    model = from_paper_state(maker.state(name), **TINY)
    assert model.mode == "float" and not model.training
    traced = model.trace(torch.from_numpy(maker.images(8, 32)))
    with np.load(REFERENCE / f"{name}.npz") as reference:
        for block in range(5):
            assert relative_error(traced[f"b{block}.x"][:1], reference[f"act.layer{block}"]) < 1e-4
        assert relative_error(traced["logits"], reference["logits"]) < 1e-4


@needs_reference
def test_plain_vit_agrees_in_its_first_block(maker: ModuleType) -> None:
    model = from_paper_state(maker.state("deit-affine"))
    traced = model.trace(torch.from_numpy(maker.images(2, 224)))
    with np.load(REFERENCE / "deit-affine.npz") as reference:
        assert relative_error(traced["b0.x"][:1], reference["act.layer0"]) < 1e-4
        # Float32 rounding flips signs in a deep network: the published code is this far from its own float64 result.
        bound = np.abs(reference["logits"] - reference["logits64"]).max() / np.abs(reference["logits"]).max()
        assert relative_error(traced["logits"], reference["logits"]) < max(3 * bound, 0.05)


@needs_reference
@pytest.mark.parametrize("name", [n for n in PRESETS if n.startswith(("small", "deit"))])
def test_sizes_are_inferred_for_every_published_network(name: str) -> None:
    shapes = json.loads((REFERENCE / "keys.json").read_text())[name]
    state = {key: np.broadcast_to(np.float32(0), shape) for key, shape in shapes.items()}
    expected = PRESETS[name]
    assert config_from_paper_state(state) == expected.model_copy(update={"mean": (0.5,) * 3, "std": (0.5,) * 3})


OTHER_SIZES: dict[str, Any] = {
    "image_size": 64,
    "in_channels": 2,
    "channels": (24, 48, 144),
    "depths": (2, 1, 3),
    "heads": (3, 4, 2),
    "mlp_widths": (48, 48, 432),
    "reductions": (8, 2, 1),
    "classes": 17,
    "mean": (0.5, 0.5),
    "std": (0.5, 0.5),
}


def paper_layout(model: BinaryViT) -> dict[str, np.ndarray]:
    """The state of ``model`` as the published code would write it, undoing each change of shape by hand."""
    config, ours = model.config, model.state_dict()
    state: dict[str, np.ndarray] = {}
    for name, (theirs, _) in _rules(config).items():
        value = ours[name].numpy()
        if name.endswith("position"):
            value = value[None]
        elif re.fullmatch(r"merges\.\d\.move", name):
            value = value[None, :, None, None]
        elif re.fullmatch(r"stem\.conv\.weight|merges\.\d\.(conv|linear)\.weight", name):
            window = config.patch_size if name.startswith("stem") else 2
            value = value.reshape(len(value), window, window, -1).transpose(0, 3, 1, 2)
        state[theirs] = value
    return state


@pytest.mark.parametrize("full_precision_merges", [False, True])
def test_other_sizes_survive_the_way_through_the_paper_layout(full_precision_merges: bool) -> None:
    torch.manual_seed(3)
    config = BinaryViTConfig.create(**OTHER_SIZES, full_precision_merges=full_precision_merges)
    model = BinaryViT(config).train()
    images = torch.randn(4, 2, 64, 64)
    model(images)
    model.eval()
    again = from_paper_state(paper_layout(model), heads=config.heads, reduction=config.reductions)
    assert again.config == config
    with torch.no_grad():
        assert torch.equal(again(images), model(images))
    with pytest.raises(CheckpointError, match="reduction of 3 stages cannot be inferred"):
        from_paper_state(paper_layout(model), heads=config.heads)


@needs_reference
def test_a_wrong_state_is_refused_by_tensor_name(maker: ModuleType) -> None:
    good = maker.state("tiny-32")
    missing = {k: v for k, v in good.items() if k != "vit.encoder.layer.2.attention.attention.moveq2"}
    with pytest.raises(CheckpointError, match=r"layer\.2\.attention\.attention\.moveq2 is missing"):
        from_paper_state(missing, **TINY)
    with pytest.raises(CheckpointError, match=r"no place in the network, first vit\.extra"):
        from_paper_state(good | {"vit.extra": np.zeros(3)}, **TINY)
    short = good | {"vit.encoder.layer.1.output.norm.bias": np.zeros(7, np.float32)}
    with pytest.raises(CheckpointError, match=r"layer\.1\.output\.norm\.bias has shape \(7,\)"):
        from_paper_state(short, **TINY)
    with pytest.raises(CheckpointError, match="reduction"):
        from_paper_state(good, heads=(1, 2, 4, 8), reduction=(1, 2, 1, 1))
    with pytest.raises(CheckpointError, match="heads=3 does not divide"):
        from_paper_state(good, heads=(3, 2, 4, 8), reduction=(4, 2, 1, 1))
    with pytest.raises(CheckpointError, match="the network has 4 stages"):
        from_paper_state(good, heads=(1, 2), reduction=(4, 2, 1, 1))
