"""A network with settled statistics, and its checkpoint as the published code writes it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bvit_hw.models import BinaryViT
from bvit_hw.paper import to_paper_state
from tests.frozen_factory import CONFIGS, calibrated_model, random_pixels

CONFIG = CONFIGS["pyramid"]


@pytest.fixture(scope="module")
def model() -> BinaryViT:
    """A float-residual network with settled statistics."""
    from bvit_hw.data import normalize

    settled = calibrated_model(CONFIG, normalize(random_pixels(CONFIG, 16), CONFIG.mean, CONFIG.std))
    settled.calibrated.fill_(False)
    return settled.set_mode("float")


@pytest.fixture
def paper(model: BinaryViT, tmp_path: Path) -> Path:
    path = tmp_path / "paper.pth"
    torch.save({"model": to_paper_state(model), "epoch": 299}, path)
    return path
