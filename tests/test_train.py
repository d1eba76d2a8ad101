"""Training: exactly reproducible, exactly resumable, loud when it cannot go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from bvit_hw import data
from bvit_hw.cli_train import train_command
from bvit_hw.data import Dataset
from bvit_hw.errors import CheckpointError, ConfigError, OutputError
from bvit_hw.models import BinaryViTConfig, load_checkpoint
from bvit_hw.train import Recipe, TrainingError, loop, recipe, train, training_recipe
from bvit_hw.train.augment import random_affine

NETWORK = BinaryViTConfig.create(
    image_size=32,
    channels=(8, 16),
    depths=(1, 1),
    heads=(1, 2),
    mlp_widths=(16, 32),
    reductions=(4, 2),
    classes=10,
)
SHORT = Recipe(dataset="some", model=NETWORK, epochs=4, quant_epochs=2, batch_size=80, learning_rate=5e-3)


@pytest.fixture(autouse=True)
def some_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset of 200 digits, and a preset on it."""
    digits = data.load_dataset("digits")
    some = Dataset(
        "some",
        10,
        digits.train_images[:160],
        digits.train_labels[:160],
        digits.test_images[:40],
        digits.test_labels[:40],
    )
    monkeypatch.setitem(data.DATASETS, "some", lambda: some)
    monkeypatch.setitem(recipe._RECIPES, "some", SHORT)


class Stopped(Exception):
    """Stands for a kill right after an epoch's state was written."""


def stop_after(epoch: int) -> Any:
    def on_epoch(report: loop.EpochReport) -> None:
        if report.epoch == epoch:
            raise Stopped

    return on_epoch


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stopped_after", [1, 2, 3, 4])
def test_a_stopped_run_goes_on_exactly(tmp_path: Path, stopped_after: int) -> None:
    whole = train(SHORT, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(SHORT, tmp_path / "parts", on_epoch=stop_after(stopped_after))
    assert not (tmp_path / "parts" / loop.MODEL_FILE).exists()
    torch.rand(17)  # what others draw from the global generator must not matter
    seen: list[int] = []
    parts = train(SHORT, tmp_path / "parts", on_epoch=lambda report: seen.append(report.epoch))
    assert seen == list(range(stopped_after + 1, 5))
    assert same(weights(whole.checkpoint), weights(parts.checkpoint)) and whole.accuracy == parts.accuracy


def test_the_seed_decides_and_the_phases_change(tmp_path: Path) -> None:
    modes: list[str] = []
    threads = torch.get_num_threads()
    first = train(SHORT, tmp_path / "a", on_epoch=lambda report: modes.append(report.mode))
    other = train(SHORT.model_copy(update={"seed": 1}), tmp_path / "b")
    assert modes == ["float", "float", "quant", "quant"]
    assert not same(weights(first.checkpoint), weights(other.checkpoint))
    assert torch.get_num_threads() == threads and not torch.are_deterministic_algorithms_enabled()
    assert load_checkpoint(first.checkpoint).mode == "quant"


def test_training_learns(tmp_path: Path) -> None:
    losses: list[float] = []
    longer = SHORT.model_copy(update={"epochs": 10, "batch_size": 16})
    train(longer, tmp_path, on_epoch=lambda report: losses.append(report.loss))
    assert losses[-1] < losses[0] - 0.2


def test_foreign_states_are_kept_unless_overwritten(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(SHORT, tmp_path, on_epoch=stop_after(1))
    before = (tmp_path / loop.STATE_FILE).read_bytes()
    other = SHORT.model_copy(update={"seed": 5})
    with pytest.raises(OutputError, match="another recipe"):
        train(other, tmp_path)
    assert (tmp_path / loop.STATE_FILE).read_bytes() == before
    train(other, tmp_path, overwrite=True)
    (tmp_path / loop.STATE_FILE).unlink()
    with pytest.raises(OutputError, match="another run's"):
        train(other, tmp_path)


def test_damaged_states_are_refused(tmp_path: Path) -> None:
    with pytest.raises(Stopped):
        train(SHORT, tmp_path, on_epoch=stop_after(1))
    state = tmp_path / loop.STATE_FILE
    whole = state.read_bytes()
    for damaged in (b"", b"garbage", whole[: len(whole) // 2]):
        state.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged"):
            train(SHORT, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run(tmp_path: Path) -> None:
    trainer = loop.Trainer(SHORT, data.load_dataset("some"))
    with torch.no_grad():
        trainer.model.head.classifier.bias[3] = torch.nan
    with pytest.raises(TrainingError, match=r"epoch 1, step 1: the loss is nan"):
        trainer.run_epoch()


def test_recipes_are_checked() -> None:
    short = training_recipe("tiny-digits", epochs=10, seed=3)
    assert (short.epochs, short.quant_epochs, short.seed) == (10, 3, 3)
    assert training_recipe("tiny-digits", epochs=2).quant_epochs == 1
    with pytest.raises(ConfigError, match="at least 2"):
        training_recipe("tiny-digits", epochs=1)
    with pytest.raises(ConfigError, match="allowed: tiny-digits"):
        training_recipe("imagenet")
    with pytest.raises(ValueError, match="quant_epochs=4 must be below"):
        Recipe.model_validate(SHORT.model_dump() | {"quant_epochs": 4})
    wrong = NETWORK.model_copy(update={"classes": 7})
    with pytest.raises(ConfigError, match="10 classes"):
        loop.Trainer(SHORT.model_copy(update={"model": wrong}), data.load_dataset("some"))
    with pytest.raises(ConfigError, match="exceeds the 160 training images"):
        loop.Trainer(SHORT.model_copy(update={"batch_size": 500}), data.load_dataset("some"))


def test_augmentation_moves_images_by_what_it_is_told() -> None:
    images = torch.zeros(40, 1, 32, 32)
    images[:, :, 14:18, 14:18] = 1
    generator = torch.Generator().manual_seed(0)
    still = random_affine(images, generator, shift=0, degrees=0, scale=0)
    assert torch.allclose(still, images, atol=1e-5)
    moved = random_affine(images, generator, shift=0.25, degrees=0, scale=0)
    rows = torch.arange(32.0) - 15.5
    centre = (moved.sum(dim=(1, 3)) * rows).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    assert centre.abs().max() <= 8.1 and centre.std() > 2
    again = random_affine(images, torch.Generator().manual_seed(1), shift=0.1, degrees=20, scale=0.2)
    assert torch.equal(again, random_affine(images, torch.Generator().manual_seed(1), shift=0.1, degrees=20, scale=0.2))
    assert not torch.equal(again[0], again[1])


def test_command_reports_on_stdout_and_shows_progress_on_stderr(tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(train_command, ["--preset", "some", "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "of 40 test images" in result.stdout and str(out / loop.MODEL_FILE) in result.stdout.replace("\n", "")
    assert "training some" in result.stderr and "training some" not in result.stdout
    changed = ["--preset", "some", "--out", str(out), "--seed", "4"]
    assert isinstance(CliRunner().invoke(train_command, changed).exception, OutputError)
    assert CliRunner().invoke(train_command, [*changed, "--overwrite"]).exit_code == 0
