"""Softened distillation, timm's teachers."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models import BinaryViTConfig
from bvit_hw.train import Recipe
from bvit_hw.train.distill import loss_of, open_teacher

CONFIG = BinaryViTConfig.create(
    image_size=8, in_channels=1, patch_size=2, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,),
    reductions=(1,), classes=3, mean=(0.5,), std=(0.5,),
)  # fmt: skip


def recipe(**changes: object) -> Recipe:
    base = {"dataset": "some", "model": CONFIG, "epochs": 4, "batch_size": 10, "augmentation": "crop-flip"}
    return Recipe.model_validate(base | changes)


def test_the_loss_mixes_teacher_and_labels() -> None:
    logits, labels = torch.tensor([[2.0, 0.0, -1.0]]), torch.tensor([1])
    told = torch.tensor([[0.0, 1.0, 0.0]])
    teacher = lambda images: told  # noqa: E731
    mixed = loss_of(recipe(teacher_share=0.75, temperature=2.0, label_smoothing=0.0), teacher)  # type: ignore[arg-type]
    wanted = 0.75 * 4 * F.cross_entropy(logits / 2, (told / 2).softmax(-1)) + 0.25 * F.cross_entropy(logits, labels)
    torch.testing.assert_close(mixed(logits, logits, labels), wanted)
    plain = loss_of(recipe(label_smoothing=0.0), teacher)  # type: ignore[arg-type]
    torch.testing.assert_close(plain(logits, logits, labels), F.cross_entropy(logits, told.softmax(-1)))


def test_timms_networks_teach(tmp_path: Path) -> None:
    timm = pytest.importorskip("timm")
    from safetensors.torch import save_file

    from bvit_hw.models.teacher import TimmTeacher

    torch.manual_seed(0)
    network = timm.create_model("resnet10t", num_classes=3, in_chans=1).eval()
    path = tmp_path / "teacher.safetensors"
    about = TimmTeacher("resnet10t", path, 3, 16, 1, (0.5,), (0.25,))
    save_file(network.state_dict(), path, metadata={"timm_teacher": about.metadata()})
    images = torch.randn(2, 1, 8, 8)
    enlarged = F.interpolate(images * 2, size=(16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(open_teacher(str(path), CONFIG)(images), network(enlarged), rtol=1e-4, atol=1e-4)
    save_file(network.state_dict(), path)
    named = open_teacher(f"timm:resnet10t@16={path}", CONFIG)
    plain = F.interpolate(images, size=(16, 16), mode="bilinear", align_corners=False)
    torch.testing.assert_close(named(images), network(plain), rtol=1e-4, atol=1e-4)
    for wrong, words in (("timm:resnet10t", "expected timm:NAME=FILE"), ("timm:resnet10t@x=f", "expected timm:NAME")):
        with pytest.raises(ConfigError, match=words):
            open_teacher(wrong, CONFIG)
    with pytest.raises(ConfigError, match="timm has no such network; near"):
        open_teacher(f"timm:resnet10x={path}", CONFIG)
    with pytest.raises(CheckpointError, match="does not fit timm's resnet18"):
        open_teacher(f"timm:resnet18={path}", CONFIG)
