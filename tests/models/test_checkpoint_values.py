"""Checkpoints whose values are wrong in unlikely ways: one sentence each, never a traceback."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bvit_hw.errors import CheckpointError, ConfigError, FreezeError
from bvit_hw.freeze import freeze
from bvit_hw.models import BinaryViTConfig, load_checkpoint, save_checkpoint
from tests.faults import refusal
from tests.frozen_factory import CONFIGS, calibrated_model

CONFIG = CONFIGS["plain"]


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small calibrated network's checkpoint."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("saved") / "plain.safetensors"
    save_checkpoint(calibrated_model(CONFIG, torch.randn(4, 3, 12, 12)), path)
    return path


def rewritten(
    saved: Path, target: Path, *, tensors: dict[str, Tensor] | None = None, config: dict[str, object] | None = None
) -> Path:
    """The checkpoint with some tensors, or some of its configuration, exchanged."""
    from safetensors import safe_open

    with safe_open(saved, framework="pt") as file:
        head = json.loads(file.metadata()["bvit_hw"])
    head["config"] |= config or {}
    save_file(load_file(saved) | (tensors or {}), target, metadata={"bvit_hw": json.dumps(head)})
    return target


@pytest.mark.parametrize(
    ("name", "value", "fragment"),
    [
        ("stem.quant_x.exponent", torch.tensor(500, dtype=torch.int32), "exponent is 500; allowed: -40..40"),
        ("stem.quant_x.exponent", torch.tensor(2.5), "torch.float32; this network has torch.int32"),
        ("blocks.0.norm_before.running_var", -torch.ones(8), "negative variances"),
        ("blocks.0.norm_before.weight", torch.ones(8, dtype=torch.int32), "int32; this network has torch.float32"),
        ("blocks.1.norm_before.bias", torch.full((8,), torch.nan), "not finite"),
        ("blocks.1.norm_before.bias", torch.full((8,), 1e300, dtype=torch.float64), "not finite"),
        ("blocks.1.norm_before.bias", torch.zeros(8).to(torch.float8_e5m2), "float8_e5m2, expected numbers"),
        ("blocks.0.norm_before.running_var", torch.ones(8).to(torch.float8_e4m3fn), "float8_e4m3fn, expected"),
    ],
)
def test_tensors(saved: Path, tmp_path: Path, name: str, value: Tensor, fragment: str) -> None:
    assert name in load_file(saved)
    path = rewritten(saved, tmp_path / "odd.safetensors", tensors={name: value})
    message = refusal(lambda: load_checkpoint(path), CheckpointError)
    assert fragment in message and name.removesuffix(".exponent") in message


@pytest.mark.parametrize(
    "change",
    [{"image_size": 3 * 10**8}, {"channels": [8 * 10**6], "mlp_widths": [32 * 10**6]}, {"depths": [10**6]},
     {"classes": 10**9}],
)  # fmt: skip
def test_sizes_that_would_fill_the_memory(saved: Path, tmp_path: Path, change: dict[str, object]) -> None:
    path = rewritten(saved, tmp_path / "huge.safetensors", config=change)
    assert "the file holds" in refusal(lambda: load_checkpoint(path), CheckpointError)


@pytest.mark.parametrize("change", [{"mean": [float("nan")] * 3}, {"std": [float("inf")] * 3}, {"std": [0.0] * 3}])
def test_normalization_that_is_no_number(change: dict[str, object]) -> None:
    message = refusal(lambda: BinaryViTConfig.create(**(CONFIG.model_dump() | change)), ConfigError)
    assert next(iter(change)) in message


def test_weights_out_of_all_proportion(saved: Path, tmp_path: Path) -> None:
    """No such factor fits the integer contract; freezing says so."""
    name = "blocks.0.z.norm.weight"
    for factor in (1e12, 3e38):
        path = rewritten(saved, tmp_path / "big.safetensors", tensors={name: torch.full((8,), factor)})
        model = load_checkpoint(path)
        assert "b0.z" in refusal(partial(freeze, model), FreezeError)
