"""Training: exactly reproducible, exactly resumable, loud when it cannot go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from click.testing import CliRunner

from bvit_hw import data
from bvit_hw.cli.train import train_command
from bvit_hw.data import open_data
from bvit_hw.errors import CheckpointError, ConfigError, OutputError
from bvit_hw.models import load_checkpoint, save_checkpoint
from bvit_hw.train import (
    EpochReport,
    Recipe,
    RunOptions,
    Trainer,
    TrainingError,
    loop,
    recipe,
    state,
    train,
    training_recipe,
)
from bvit_hw.train.augment import random_affine
from bvit_hw.train.distill import open_teacher
from tests.training_children import NETWORK, metrics, some_digits
from tests.training_children import SHORT as CHILDREN_SHORT

SHORT = CHILDREN_SHORT.changed(batch_size=80)


@pytest.fixture(autouse=True)
def some_data(monkeypatch: pytest.MonkeyPatch) -> None:
    """A dataset of 200 digits, and a run on it."""
    monkeypatch.setitem(data.DATASETS, "some", some_digits)
    monkeypatch.setitem(recipe._RUNS, "some", SHORT)


class Stopped(Exception):
    """Stands for a kill right after an epoch's state was written."""


def stop_after(epoch: int) -> Any:
    def on_epoch(report: EpochReport) -> None:
        if report.epoch == epoch:
            raise Stopped

    return on_epoch


def weights(path: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(path).state_dict()


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("stopped_after", [2, *(pytest.param(epoch, marks=pytest.mark.slow) for epoch in (1, 3, 4))])
def test_a_stopped_run_goes_on_exactly(tmp_path: Path, stopped_after: int) -> None:
    measured = RunOptions(evaluate_every=1)
    whole = train(SHORT, tmp_path / "whole", options=measured)
    with pytest.raises(Stopped):
        train(SHORT, tmp_path / "parts", options=measured, on_epoch=stop_after(stopped_after))
    assert not (tmp_path / "parts" / loop.MODEL_FILE).exists()
    torch.rand(17)  # what others draw from the global generator must not matter
    seen: list[int] = []
    parts = train(SHORT, tmp_path / "parts", options=measured, on_epoch=lambda report: seen.append(report.epoch))
    # The epoch whose state was the last is reported once more: its end may not have been.
    assert seen == list(range(stopped_after, 5))
    assert same(weights(whole.checkpoint), weights(parts.checkpoint)) and whole.accuracy == parts.accuracy
    assert metrics(tmp_path / "whole") == metrics(tmp_path / "parts"), "each step and measurement once"


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
    with pytest.raises(OutputError, match=r"another recipe \(seed: 0 -> 5\)"):
        train(other, tmp_path)
    assert (tmp_path / loop.STATE_FILE).read_bytes() == before
    train(other, tmp_path, overwrite=True)
    state.remove_states(tmp_path / loop.STATE_FILE)
    with pytest.raises(OutputError, match="another run's"):
        train(other, tmp_path)


def test_a_damaged_state_is_noticed_and_the_one_before_it_used(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    whole_run = train(SHORT, tmp_path / "whole")
    with pytest.raises(Stopped):
        train(SHORT, tmp_path, on_epoch=stop_after(2))
    newest = tmp_path / loop.STATE_FILE
    whole = newest.read_bytes()
    flipped = bytearray(whole)
    flipped[-5] ^= 1
    for damaged in (b"", b"garbage", whole[: len(whole) // 2], bytes(flipped)):
        newest.write_bytes(damaged)
        found = state.read_state(newest)
        assert found is not None and (found[1]["epoch"], found[1]["step"]) == (0, 2)
    assert "going on from the state before it" in caplog.text
    resumed = train(SHORT, tmp_path)
    assert same(weights(whole_run.checkpoint), weights(resumed.checkpoint))
    newest.write_bytes(b"garbage")
    state.previous(newest).write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"damaged.*damaged"):
        train(SHORT, tmp_path)


def test_a_loss_that_is_not_finite_stops_the_run_and_keeps_the_state(tmp_path: Path) -> None:
    def poison(report: loop.StepReport) -> None:
        if (report.epoch, report.step) == (2, 1):
            with torch.no_grad():
                trainers[0].model.blocks[1].attn.v.norm.bias[3] = torch.nan

    trainers: list[Trainer] = []
    genuine = loop.Trainer
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop, "Trainer", lambda *a, **k: trainers.append(genuine(*a, **k)) or trainers[0])
        message = (
            r"epoch 2, step 2 \(step 4 of the run\): the loss is nan; first quantity that is not finite: "
            r"parameter blocks\.1\.attn\.v\.norm\.bias"
        )
        with pytest.raises(TrainingError, match=message):
            train(SHORT, tmp_path, options=RunOptions(save_steps=1), on_step=poison)
    found = state.read_state(state.previous(tmp_path / loop.STATE_FILE))
    assert found is not None and all(bool(torch.isfinite(t).all()) for t in found[0].values())
    assert found[1]["epoch"] * 2 + found[1]["step"] == 2


def test_the_first_quantity_that_is_not_finite_is_named() -> None:
    def trainer() -> Trainer:
        return Trainer(SHORT, open_data("some"))

    broken = trainer()
    broken.batches.images[:] = torch.inf  # type: ignore[attr-defined]
    with pytest.raises(TrainingError, match="not finite: input images"):
        broken.run_step()
    # Weights so large that a sum overflows: no parameter is to blame.
    huge = trainer()
    with torch.no_grad():
        huge.model.head.classifier.weight.fill_(3e38)
    before = {name: tensor.clone() for name, tensor in huge.model.named_parameters()}
    with pytest.raises(TrainingError, match=r"not finite: output of head"):
        huge.run_step()
    assert all(torch.equal(tensor, before[name]) for name, tensor in huge.model.named_parameters())
    steep = trainer()
    handle = steep.model.head.classifier.weight.register_hook(lambda grad: grad * torch.inf)
    with pytest.raises(TrainingError, match=r"the gradient norm is (nan|inf); .* gradient of head\.classifier\.weight"):
        steep.run_step()
    handle.remove()


def test_accumulated_batches_make_one_step() -> None:
    """With normalization's statistics fixed, two passes of 20 are one of 40."""
    sums = []
    for changes in ({"batch_size": 40}, {"batch_size": 20, "accumulate": 2}):
        trainer = Trainer(SHORT.changed(**changes), open_data("some"))
        assert trainer.steps == 4
        trainer.model.eval()
        loss, norm, _ = trainer.run_step()
        sums.append((loss, norm))
    assert sums[0] == pytest.approx(sums[1], rel=1e-5)


def test_the_paper_s_schedule_follows_the_global_batch() -> None:
    paper = training_recipe("small-224", data="imagenet=/data", teacher="deit-small")
    assert (paper.epochs, paper.quant_epochs, paper.batch_size, paper.weight_decay) == (300, 0, 64, 0.0)
    assert (paper.augmentation, paper.label_smoothing) == ("paper", 0.0)
    assert paper.peak_rate(512) == 5e-4 and paper.peak_rate(64) == pytest.approx(6.25e-5)
    assert training_recipe("tiny-digits").peak_rate(12345) == 2e-3


def test_distillation_follows_the_teacher_and_not_the_labels(tmp_path: Path) -> None:
    """The loss is the cross-entropy against the teacher's softmax; its gradient vanishes where the two agree."""
    recipe_alone = SHORT.changed(label_smoothing=0.0)
    teacher_model = Trainer(recipe_alone.changed(seed=7), open_data("some")).model
    save_checkpoint(teacher_model, tmp_path / "teacher.safetensors")
    teacher = open_teacher(str(tmp_path / "teacher.safetensors"), NETWORK)
    trainer = Trainer(recipe_alone, open_data("some"), teacher=teacher)
    images, labels = next(trainer.batches.epoch(0, 0))
    logits = torch.randn(80, 10, requires_grad=True)
    loss = trainer.loss(logits, images, labels)
    expected = teacher.network(images).softmax(dim=1)
    assert torch.allclose(loss, -(expected * logits.log_softmax(dim=1)).sum(dim=1).mean(), atol=1e-6)
    assert torch.equal(loss, trainer.loss(logits, images, labels.flip(0)))
    (gradient,) = torch.autograd.grad(loss, logits)
    assert torch.allclose(gradient, (logits.softmax(dim=1) - expected) / 80, atol=1e-7)
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    trainer.run_step()
    after = teacher.state_dict()
    assert all(torch.equal(before[name], after[name]) for name in before), "statistics of the teacher stay as well"
    with pytest.raises(ConfigError, match=r"teacher .*: 10 classes"):
        open_teacher(str(tmp_path / "teacher.safetensors"), NETWORK.model_copy(update={"classes": 7}))


def test_a_teacher_sees_images_as_it_was_trained_on_them(tmp_path: Path) -> None:
    other = NETWORK.model_copy(update={"mean": (0.1, 0.2, 0.3), "std": (0.4, 0.6, 0.7)})
    model = Trainer(SHORT, open_data("some")).model
    model.config = other
    save_checkpoint(model, tmp_path / "teacher.safetensors")
    pixels = some_digits().test_images[:8]
    teacher = open_teacher(str(tmp_path / "teacher.safetensors"), NETWORK)
    seen: list[torch.Tensor] = []
    teacher.network.register_forward_pre_hook(lambda _module, arguments: seen.append(arguments[0]))
    teacher(data.normalize(pixels, NETWORK.mean, NETWORK.std))
    assert torch.allclose(seen[0], data.normalize(pixels, other.mean, other.std), atol=1e-5)


def test_bf16_runs_close_to_float32() -> None:
    losses = []
    for precision in ("32", "bf16-mixed"):
        trainer = Trainer(SHORT.changed(precision=precision), open_data("some"))
        losses.append([trainer.run_step()[0] for _ in range(2)])
        assert all(p.dtype == torch.float32 for p in trainer.model.parameters())
    assert losses[0] == pytest.approx(losses[1], rel=0.1) and losses[0] != losses[1]


def test_without_a_compiler_nothing_is_fused(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("PATH", "")
        asked = Trainer(SHORT.changed(fuse=True), open_data("some"))
    assert asked.steps_taken.name == "operators" and "not fused, and train more slowly: g++" in caplog.text
    assert 0 < asked.run_step()[0] < 10


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"fuse": True}, "fused"),
        ({"fuse": True, "gradients": "bf16"}, "fused, bf16 gradients"),
        ({"fuse": True, "gradients": None}, "fused, bf16 gradients"),
        ({"fuse": None, "gradients": "bf16"}, "operators"),
        ({"fuse": True, "precision": "bf16-mixed"}, "operators"),
        ({"fuse": True, "compile": True}, "operators"),
    ],
)
def test_how_steps_are_taken_on_a_cpu(monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], name: str) -> None:
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: True)
    assert Trainer(SHORT.changed(**changes), open_data("some")).steps_taken.name == name
    monkeypatch.setattr("torch.cpu._is_avx512_bf16_supported", lambda: False)
    other = "fused" if changes.get("gradients", "32") is None else name
    assert Trainer(SHORT.changed(**changes), open_data("some")).steps_taken.name == other


def test_fused_steps_train_as_operators_do_in_both_phases() -> None:
    losses = []
    for fuse in (False, True):
        trainer = Trainer(SHORT.changed(fuse=fuse), open_data("some"))
        seen = []
        for epoch in (0, 2):  # the third is quantized
            trainer.epoch, trainer.step = epoch, 0
            seen += [trainer.run_step()[0] for _ in range(2)]
            trainer.end_epoch()
        losses.append(seen)
    # Later ones drift: rounding flips signs.
    assert losses[0][0] == pytest.approx(losses[1][0], rel=1e-5)
    assert losses[0] == pytest.approx(losses[1], rel=0.02) and losses[0] != losses[1]


def test_presets_for_pictures_fuse_their_steps() -> None:
    for name in ("cifar10", "fashion-mnist"):
        recipe = training_recipe(name, data="cifar10=.")
        assert recipe.fuse and recipe.gradients is None
    assert training_recipe("tiny-digits").fuse is None


def test_recipes_are_checked() -> None:
    short = training_recipe("tiny-digits", epochs=10, seed=3)
    assert (short.epochs, short.quant_epochs, short.seed) == (10, 3, 3)
    assert training_recipe("tiny-digits", epochs=2).quant_epochs == 1
    with pytest.raises(ConfigError, match="at least 2"):
        training_recipe("tiny-digits", epochs=1)
    with pytest.raises(ConfigError, match="allowed: tiny-digits"):
        training_recipe("imagenet")
    with pytest.raises(ConfigError, match="preset small-224 has no dataset of its own"):
        training_recipe("small-224")
    with pytest.raises(ConfigError, match="recipe 'long' is unknown; allowed: digits, cifar, paper"):
        training_recipe("tiny-digits", recipe="long")
    with pytest.raises(ValueError, match="quant_epochs=4 must be below"):
        Recipe.model_validate(SHORT.model_dump() | {"quant_epochs": 4})
    with pytest.raises(ConfigError, match=r"learning_rate.*greater than 0"):
        SHORT.changed(learning_rate=-1.0)
    wrong = NETWORK.model_copy(update={"classes": 7})
    with pytest.raises(ConfigError, match="10 classes"):
        Trainer(SHORT.model_copy(update={"model": wrong}), open_data("some"))
    with pytest.raises(ConfigError, match="exceeds the 160 training images; a smaller one: --batch-size"):
        Trainer(SHORT.changed(batch_size=500), open_data("some"))
    with pytest.raises(ConfigError, match="90 x 2 accumulated x 1 processes = 180 exceeds"):
        Trainer(SHORT.changed(batch_size=90, accumulate=2), open_data("some"))


def test_augmentation_moves_images_by_what_it_is_told() -> None:
    images = torch.zeros(40, 1, 32, 32)
    images[:, :, 14:18, 14:18] = 1
    generator = torch.Generator().manual_seed(0)
    still = random_affine(images, torch.rand(4, 40, generator=generator), shift=0, degrees=0, scale=0)
    assert torch.allclose(still, images, atol=1e-5)
    moved = random_affine(images, torch.rand(4, 40, generator=generator), shift=0.25, degrees=0, scale=0)
    rows = torch.arange(32.0) - 15.5
    centre = (moved.sum(dim=(1, 3)) * rows).sum(dim=1) / moved.sum(dim=(1, 2, 3))
    assert centre.abs().max() <= 8.1 and centre.std() > 2
    draw = torch.rand(4, 40, generator=generator)
    again = random_affine(images, draw, shift=0.1, degrees=20, scale=0.2)
    half = random_affine(images[20:], draw[:, 20:], shift=0.1, degrees=20, scale=0.2)
    assert torch.equal(again[20:], half), "each picture has its own column"
    assert not torch.equal(again[0], again[1])


def test_command_reports_on_stdout_and_shows_progress_on_stderr(tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = CliRunner().invoke(train_command, ["--preset", "some", "--out", str(out)], catch_exceptions=False)
    assert result.exit_code == 0
    assert "of 40 test images" in result.stdout and str(out / loop.MODEL_FILE) in result.stdout.replace("\n", "")
    assert "training some" in result.stderr and "training some" not in result.stdout
    assert "images/s" in result.stderr
    assert list((out / "tensorboard").iterdir())
    changed = ["--preset", "some", "--out", str(out), "--seed", "4"]
    assert isinstance(CliRunner().invoke(train_command, changed).exception, OutputError)
    assert CliRunner().invoke(train_command, [*changed, "--overwrite"]).exit_code == 0
