"""The networks that are shipped are those that their presets describe."""

from __future__ import annotations

import pytest

from bvit_hw.models import PRESETS, checkpoint_info, load_checkpoint, shipped_checkpoint
from bvit_hw.train import training_recipe


@pytest.mark.parametrize("name", ["cifar10", "fashion-mnist"])
def test_shipped_networks_are_their_presets(name: str) -> None:
    path = shipped_checkpoint(name)
    model, info = load_checkpoint(path), checkpoint_info(path)
    assert model.config == PRESETS[name] and model.mode == "quant"
    assert len(info["classes"]) == 10 and info["test_images"] == 10_000  # type: ignore[arg-type]
    kept = training_recipe(name, data=str(info["dataset"])).model_dump(mode="json")
    trained = info["recipe"]
    assert isinstance(trained, dict)
    same = ("augmentation", "batch_size", "learning_rate", "cutout", "mixup", "calibration_images", "model")
    assert {key: trained[key] for key in same} == {key: kept[key] for key in same}
