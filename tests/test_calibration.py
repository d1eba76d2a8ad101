"""Checkpoints without scales are calibrated on the way to the integers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bvit_hw.errors import ConfigError
from bvit_hw.models import checkpoint_info, load_checkpoint
from bvit_hw.paper import to_paper_state


@pytest.fixture(scope="module")
def digits_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The shipped network's weights, by way of a checkpoint as the published code writes it; no scales."""
    from bvit_hw.models import save_checkpoint, shipped_checkpoint
    from bvit_hw.paper import load_paper_checkpoint

    shipped = load_checkpoint(shipped_checkpoint())
    config = shipped.config
    folder = tmp_path_factory.mktemp("digits")
    torch.save({"model": to_paper_state(shipped), "epoch": 99}, folder / "paper.pth")
    pixels = {"mean": config.mean, "std": config.std}
    model = load_paper_checkpoint(
        folder / "paper.pth", heads=config.heads, reduction=config.reductions, changes=pixels
    )  # fmt: skip
    assert model.config == config and not bool(model.calibrated)
    save_checkpoint(model, folder / "imported.safetensors", {"dataset": "digits"})
    return folder / "imported.safetensors"


def test_post_training_freeze_loses_less_than_half_a_point(digits_checkpoint: Path) -> None:
    """Trained weights, scales from 256 training images only: QAT and frozen models on all 360 test images."""
    from bvit_hw.calibration import load_ready

    model, report = load_ready(digits_checkpoint, "digits")
    assert report is not None and report.check_images == 360 and report.separate
    assert report.float_accuracy is not None and report.float_accuracy >= 0.98
    assert report.quantized.accuracy is not None and report.frozen.accuracy is not None
    assert report.quantized.accuracy >= report.float_accuracy - 0.01
    assert report.frozen.accuracy >= report.quantized.accuracy - 0.005
    assert report.frozen.same_label >= 0.98 and report.frozen.cosine >= 0.98
    assert model.mode == "quant"


def test_a_build_takes_a_checkpoint_without_scales(digits_checkpoint: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from bvit_hw.errors import FreezeError
    from bvit_hw.pipeline.artefacts import Artefacts
    from bvit_hw.pipeline.engine import StepContext
    from bvit_hw.pipeline.options import resolve
    from bvit_hw.pipeline.steps import checkpoint

    options = resolve(
        board="pynq-z2", preset_name=None, checkpoint=digits_checkpoint, data=None, clock_mhz=None, target_fps=None,
        simulated_images=1, jobs=1, calibrate="digits",
    )  # fmt: skip
    context = StepContext(folder=tmp_path, progress=lambda done, total: None, earlier={}, results={})
    with pytest.raises(FreezeError, match=r"not quantized yet \(mode 'float'\): give images.*--calibrate DIR"):
        checkpoint.run(context, Artefacts(replace(options, calibrate=None)))
    results = checkpoint.run(context, Artefacts(options))
    kept = tmp_path / "checkpoint.safetensors"
    assert load_checkpoint(kept).mode == "quant" and checkpoint_info(kept)["dataset"] == "digits"
    assert results["calibration"] == checkpoint_info(kept)["calibration"]
    assert results["qat_accuracy"] == results["calibration"]["quantized"]["accuracy"]
    with pytest.raises(ConfigError, match=r"has its fixed-point scales already; leave out --calibrate digits"):
        checkpoint.run(context, Artefacts(replace(options, checkpoint=kept)))
