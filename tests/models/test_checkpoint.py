"""Checkpoints: what is written comes back, what is wrong is refused by name; the shipped one keeps its promise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from bvit_hw.data import load_dataset, normalize
from bvit_hw.errors import CheckpointError, OutputError
from bvit_hw.models import (
    BinaryViT,
    BinaryViTConfig,
    checkpoint_info,
    load_checkpoint,
    preset,
    save_checkpoint,
    shipped_checkpoint,
)
from bvit_hw.train import accuracy

SIZES: dict[str, Any] = {
    "image_size": 16,
    "channels": (8, 16),
    "depths": (1, 1),
    "heads": (1, 2),
    "mlp_widths": (16, 32),
    "reductions": (2, 1),
    "classes": 5,
}


@pytest.fixture
def model() -> BinaryViT:
    torch.manual_seed(0)
    model = BinaryViT(BinaryViTConfig.create(**SIZES)).train()
    model(torch.randn(8, 3, 16, 16))
    return model.eval().calibrate([torch.randn(8, 3, 16, 16)])


@pytest.fixture
def path(model: BinaryViT, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_checkpoint(model, path, {"note": "test"})
    return path


def rewrite(path: Path, changes: dict[str, torch.Tensor | None]) -> None:
    """Replace or drop tensors, keeping the metadata."""
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata()
        tensors: dict[str, Any] = {name: file.get_tensor(name) for name in file.keys()} | changes  # noqa: SIM118
    save_file({k: v for k, v in tensors.items() if v is not None}, path, metadata=metadata)


def test_round_trip_keeps_every_integer(model: BinaryViT, path: Path) -> None:
    again = load_checkpoint(path)
    assert again.config == model.config and again.mode == "quant" and not again.training
    assert checkpoint_info(path) == {"note": "test"}
    exponents = {name: q.exponent for name, q in model.act_quantizers().items()}
    assert {name: q.exponent for name, q in again.act_quantizers().items()} == exponents
    assert len(set(exponents.values())) > 1
    images = torch.randn(4, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(again(images), model(images))
    assert not any("impl" in name for name in safe_open(path, framework="np").keys()), "Brevitas names leak"  # noqa: SIM118
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name], "temporary files are left"


def test_float_models_come_back_in_float_mode(tmp_path: Path) -> None:
    save_checkpoint(BinaryViT(BinaryViTConfig.create(**SIZES)), tmp_path / "m.safetensors")
    assert load_checkpoint(tmp_path / "m.safetensors").mode == "float"


def test_missing_and_damaged_files_are_named(path: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere.safetensors")
    with pytest.raises(CheckpointError, match="damaged"):
        load_checkpoint(tmp_path)
    data = path.read_bytes()
    for size in (0, 5, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:size])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
            load_checkpoint(path)
    save_file({"x": torch.zeros(2)}, path)
    with pytest.raises(CheckpointError, match="not written by bvit-hw"):
        load_checkpoint(path)


def test_tensors_that_do_not_fit_are_named(path: Path) -> None:
    data = path.read_bytes()
    for changes, message in (
        ({"blocks.0.attn.clip": None}, r"tensor blocks\.0\.attn\.clip is missing"),
        ({"blocks.1.f.quant.exponent": None}, r"blocks\.1\.f\.quant\.exponent is missing"),
        ({"extra": torch.zeros(1)}, "tensor extra has no place"),
        ({"head.classifier.bias": torch.zeros(6)}, r"head\.classifier\.bias has shape \(6,\); this network has \(5,\)"),
        ({"stem.position": torch.full((16, 8), torch.nan)}, r"not finite: stem\.position"),
        ({"calibrated": torch.tensor(False)}, "calibrate"),
    ):
        path.write_bytes(data)
        rewrite(path, changes)
        with pytest.raises(CheckpointError, match=message):
            load_checkpoint(path)
    path.write_bytes(data)
    other = BinaryViTConfig.create(**SIZES | {"mlp_widths": (16, 64)})
    with pytest.raises(CheckpointError, match=r"blocks\.1\.\w+\.\S+ has shape"):
        load_checkpoint(path, other)


def test_unwritable_places_are_an_output_error(model: BinaryViT, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot be written"):
        save_checkpoint(model, tmp_path / "file" / "m.safetensors")


def test_shipped_checkpoint_reaches_its_accuracy() -> None:
    path = shipped_checkpoint()
    assert path.stat().st_size < 10e6
    model = load_checkpoint(path)
    assert model.config == preset("tiny-digits") and model.mode == "quant"
    digits = load_dataset("digits")
    images = normalize(digits.test_images, model.config.mean, model.config.std)
    reached = accuracy(model, images, torch.from_numpy(digits.test_labels))
    assert reached >= 0.96
    assert reached == pytest.approx(float(str(checkpoint_info(path)["test_accuracy"])), abs=1.5 / len(images))
    assert np.isclose(len(images), 360)
    with pytest.raises(CheckpointError, match="tiny-digits"):
        shipped_checkpoint("other")
