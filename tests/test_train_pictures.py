"""Training of small pictures: batches on the device, cutout, mixup, softened distillation, timm's teachers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from bvit_hw.data import Dataset, ImageData
from bvit_hw.data.loading import Share
from bvit_hw.data.sources import ArraySplit
from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models import PRESETS, BinaryViTConfig, checkpoint_info, load_checkpoint, shipped_checkpoint
from bvit_hw.train import Recipe, Trainer, training_recipe
from bvit_hw.train.augment import shifted
from bvit_hw.train.batches import open_batches
from bvit_hw.train.blend import cut_out, mixed_up
from bvit_hw.train.device_batches import DeviceBatches
from bvit_hw.train.distill import loss_of, open_teacher

CONFIG = BinaryViTConfig.create(
    image_size=8, in_channels=1, patch_size=2, channels=(8,), depths=(1,), heads=(1,), mlp_widths=(16,),
    reductions=(1,), classes=3, mean=(0.5,), std=(0.5,),
)  # fmt: skip
CPU = torch.device("cpu")


def pictures(count: int = 40, channels: int = 1) -> ImageData:
    """Random pictures whose first pixel tells their index."""
    random = np.random.default_rng(0)
    images = random.integers(1, 256, (count, 8, 8, channels), np.uint8)
    labels = np.arange(count, dtype=np.int64) % 3
    data = Dataset("some", 3, images, labels, images[:6], labels[:6])
    split = ArraySplit(images, labels)
    return ImageData("some", ("a", "b", "c"), split, ArraySplit(images[:6], labels[:6]), 8, data)


def recipe(**changes: object) -> Recipe:
    base = {"dataset": "some", "model": CONFIG, "epochs": 4, "batch_size": 10, "augmentation": "crop-flip"}
    return Recipe.model_validate(base | changes)


def batches(share: Share, **changes: object) -> list[tuple[torch.Tensor, torch.Tensor]]:
    found = open_batches(recipe(**changes), pictures(), share, CPU, 0)
    assert isinstance(found, DeviceBatches)
    return list(found.epoch(2, 0))


def test_shifts_bring_zeros_in_and_flips_mirror() -> None:
    image = torch.arange(1, 65, dtype=torch.uint8).view(1, 1, 8, 8)
    draw = torch.tensor([[0.5], [0.5], [0.9]])  # the middle of -1..1: not moved
    assert torch.equal(shifted(image, draw, margin=1, flips=True), image)
    draw[2] = 0.1
    assert torch.equal(shifted(image, draw, margin=1, flips=True), image.flip(3))
    assert torch.equal(shifted(image, draw, margin=1, flips=False), image)
    down = shifted(image, torch.tensor([[0.0], [0.5], [0.9]]), margin=1, flips=False)
    assert (down[0, 0, 0] == 0).all() and torch.equal(down[0, 0, 1:], image[0, 0, :-1])
    many = shifted(image.expand(600, -1, -1, -1), torch.rand(3, 600), margin=1, flips=True)
    assert len({tuple(picture.flatten().tolist()) for picture in many}) == 18, "3 x 3 places, mirrored or not"


def test_any_division_of_a_step_sees_the_same_pictures() -> None:
    changes = {"cutout": 3, "mixup": 0.4}
    whole = batches(Share(20), batch_size=20, **changes)
    halves = [batches(Share(10, 1, rank, 2), **changes) for rank in (0, 1)]
    for (images, labels), first, second in zip(whole, *halves, strict=True):
        assert torch.equal(images, torch.cat([first[0], second[0]]))
        torch.testing.assert_close(labels, torch.cat([first[1], second[1]]))


def test_an_epoch_can_be_entered_at_any_step() -> None:
    found = open_batches(recipe(cutout=2), pictures(), Share(10), CPU, 0)
    whole, rest = list(found.epoch(1, 0)), list(found.epoch(1, 2))
    assert len(whole) == 4 and all(torch.equal(a[0], b[0]) for a, b in zip(whole[2:], rest, strict=True))
    assert not torch.equal(whole[0][0], next(iter(found.epoch(2, 0)))[0])


def test_without_augmentation_pictures_are_as_they_are() -> None:
    found = batches(Share(10), augmentation="none")
    seen = torch.cat([images for images, _ in found])
    pixels = ((seen * 0.5 + 0.5) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    original = pictures().arrays.train_images  # type: ignore[union-attr]
    assert {p.tobytes() for p in pixels} == {p.tobytes() for p in original}


def test_cutout_and_mixup_do_what_they_say() -> None:
    images = torch.ones(4, 2, 8, 8)
    cut = cut_out(images, torch.full((2, 4), 0.5), 4)
    assert float(cut.sum()) == 4 * 2 * (64 - 16) and (cut[:, :, 2:6, 2:6] == 0).all()
    assert float(cut_out(images, torch.zeros(2, 4), 4).sum()) == 4 * 2 * (64 - 4), "cut off at the border"
    mixed, shares = mixed_up(torch.arange(3.0).view(3, 1, 1, 1), torch.tensor([0, 1, 2]), 3, 0.75)
    assert mixed.flatten().tolist() == [0.25, 0.75, 2.0], "the odd one out is mixed with itself"
    assert shares.tolist() == [[0.75, 0.25, 0], [0.25, 0.75, 0], [0, 0, 1]]


def test_pictures_of_other_channels_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"pictures have 3 channels; the network has in_channels=1"):
        open_batches(recipe(), pictures(channels=3), Share(10), CPU, 0)


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


def test_a_whole_step_with_everything_on() -> None:
    trainer = Trainer(recipe(cutout=2, mixup=0.2, fuse=None), pictures())
    assert trainer.graphs is None and not trainer.fuses, "a CPU replays no graphs"
    losses = [trainer.run_step()[0] for _ in range(3)]
    assert all(np.isfinite(losses))


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
