"""Calibration sets the scales and nothing else."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bvit_hw.errors import ConfigError
from bvit_hw.freeze.calibrate import agreement, calibrate
from bvit_hw.models import BinaryViT
from tests.frozen_factory import random_pixels
from tests.paper_files import CONFIG


def test_calibration_changes_nothing_but_the_scales(model: BinaryViT) -> None:
    """BatchNorm statistics in particular; and it is refused where there are scales already."""
    copy = BinaryViT(model.config)
    copy.load_state_dict({k: v for k, v in model.state_dict().items() if ".impl." not in k}, strict=False)
    before = {k: v.clone() for k, v in copy.state_dict().items() if ".impl." not in k and k != "calibrated"}
    pixels = random_pixels(CONFIG, 40, seed=2)
    labels = np.arange(20) % 5
    report = calibrate(copy.train(), pixels[:20], pixels[20:], labels)
    assert all(torch.equal(copy.state_dict()[name], value) for name, value in before.items())
    assert not copy.training and copy.mode == "quant"
    assert report.float_accuracy is not None and report.quantized.same_label >= 0.5
    with pytest.raises(ConfigError, match="has its fixed-point scales already"):
        calibrate(copy, pixels[:20], pixels[20:])
    with pytest.raises(ConfigError, match="0 to calibrate with"):
        calibrate(BinaryViT(CONFIG), pixels[:0], pixels)


def test_agreement_by_hand() -> None:
    reference = np.array([[1.0, 0.0], [0.0, 2.0]])
    found = agreement(np.array([[2.0, 0.0], [3.0, 0.0]]), reference, np.array([0, 0]))
    assert (found.same_label, found.cosine, found.accuracy) == (0.5, 0.5, 1.0)
    assert "accuracy 100.00%, labels as float 50.00%" in found.text()
