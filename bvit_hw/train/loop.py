"""The training loop: float-residual epochs, calibration, quantized epochs; deterministic, resumable after any epoch."""

from __future__ import annotations

import logging
import os
import pickle
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import torch.utils.deterministic
from torch import Tensor

from bvit_hw.data import Dataset, load_dataset, normalize
from bvit_hw.errors import BvitError, CheckpointError, ConfigError, OutputError
from bvit_hw.models import BinaryViT, save_checkpoint
from bvit_hw.train.augment import random_affine
from bvit_hw.train.recipe import Recipe

log = logging.getLogger(__name__)

STATE_FILE = "train_state.pt"
MODEL_FILE = "model.safetensors"


class TrainingError(BvitError):
    """Training cannot go on; names the epoch and what was seen."""


@dataclass(frozen=True)
class EpochReport:
    """What one epoch did: its number (from 1), mean training loss, and the mode it ran in."""

    epoch: int
    loss: float
    mode: str


@dataclass(frozen=True)
class TrainResult:
    """A finished run: checkpoint, test accuracy (fraction) of the QAT model, size of the test split."""

    checkpoint: Path
    accuracy: float
    test_images: int


@torch.no_grad()
def accuracy(model: BinaryViT, images: Tensor, labels: Tensor, batch_size: int = 256) -> float:
    """Fraction of normalized images N x C x H x W that the model, in eval mode, classifies as ``labels``."""
    training = model.training
    model.eval()
    hits = sum(
        int((model(x).argmax(dim=1) == y).sum())
        for x, y in zip(images.split(batch_size), labels.split(batch_size), strict=True)
    )
    model.train(training)
    return hits / len(labels)


@contextmanager
def _reproducible(threads: int) -> Iterator[None]:
    """Deterministic algorithms on a fixed number of threads (sums depend on it); what was set before comes back."""
    filling = torch.utils.deterministic.fill_uninitialized_memory
    before = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    # Nothing here reads memory before writing it, and filling each new tensor costs a tenth of the time.
    torch.utils.deterministic.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.use_deterministic_algorithms(before[1])
        torch.utils.deterministic.fill_uninitialized_memory = filling


class Trainer:
    """One run of a recipe; everything that its future depends on is in :meth:`state`."""

    def __init__(self, recipe: Recipe, dataset: Dataset) -> None:
        self.recipe = recipe
        config = recipe.model
        given = dataset.classes, dataset.train_images.shape[1:]
        wanted = config.classes, (config.image_size, config.image_size, config.in_channels)
        if given != wanted:
            raise ConfigError(
                f"dataset {dataset.name}: {given[0]} classes of images {given[1]}; "
                f"the network takes {wanted[0]} classes of {wanted[1]}"
            )
        self.images = normalize(dataset.train_images, config.mean, config.std)
        self.labels = torch.from_numpy(dataset.train_labels)
        self.test_images = normalize(dataset.test_images, config.mean, config.std)
        self.test_labels = torch.from_numpy(dataset.test_labels)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed)
            self.model = BinaryViT(config).train()
        self.steps_per_epoch = len(self.images) // recipe.batch_size
        if self.steps_per_epoch == 0:
            raise ConfigError(f"batch_size={recipe.batch_size} exceeds the {len(self.images)} training images")
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=recipe.learning_rate, weight_decay=0.0, fused=True)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimizer, T_max=recipe.epochs * self.steps_per_epoch
        )
        self.generator = torch.Generator().manual_seed(recipe.seed)
        self.epoch = 0

    def run_epoch(self) -> EpochReport:
        """Train one epoch; a loss that is not finite raises :class:`TrainingError`."""
        recipe = self.recipe
        if self.epoch == recipe.epochs - recipe.quant_epochs:
            self.model.calibrate(self.images.split(256))
        order = torch.randperm(len(self.images), generator=self.generator)
        losses = []
        for step in range(self.steps_per_epoch):
            chosen = order[step * recipe.batch_size : (step + 1) * recipe.batch_size]
            images = random_affine(
                self.images[chosen],
                self.generator,
                shift=recipe.max_shift,
                degrees=recipe.max_degrees,
                scale=recipe.max_scale,
            )
            logits = self.model(images)
            loss = F.cross_entropy(logits, self.labels[chosen], label_smoothing=recipe.label_smoothing)
            if not torch.isfinite(loss):
                raise TrainingError(
                    f"epoch {self.epoch + 1}, step {step + 1}: the loss is {loss.item()}; try a smaller learning rate"
                )
            self.optimizer.zero_grad(set_to_none=True)
            loss.backward()
            self.optimizer.step()
            self.scheduler.step()
            losses.append(loss.detach())
        self.epoch += 1
        return EpochReport(self.epoch, float(torch.stack(losses).mean()), self.model.mode)

    def test_accuracy(self) -> float:
        """Accuracy on the test split in the model's present mode."""
        return accuracy(self.model, self.test_images, self.test_labels)

    def state(self) -> dict[str, Any]:
        """Model, optimizer, scheduler, random generator, epoch and mode, with the recipe they belong to."""
        return {
            "recipe": self.recipe.model_dump_json(),
            "epoch": self.epoch,
            "mode": self.model.mode,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scheduler": self.scheduler.state_dict(),
            "generator": self.generator.get_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on exactly where :meth:`state` was taken."""
        self.model.load_state_dict(state["model"])
        self.model.set_mode(state["mode"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.generator.set_state(state["generator"])
        self.epoch = state["epoch"]


def _write_state(trainer: Trainer, path: Path) -> None:
    temporary = path.with_name(f"{path.name}.tmp")
    try:
        with temporary.open("wb") as file:
            torch.save(trainer.state(), file)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"training state {path} cannot be written: {error}") from error


def _resume(trainer: Trainer, path: Path) -> None:
    try:
        state = torch.load(path, weights_only=True)
        if state["recipe"] != trainer.recipe.model_dump_json():
            raise OutputError(f"{path} belongs to another recipe; give another --out, or --overwrite to start afresh")
        trainer.load_state(state)
    except (RuntimeError, KeyError, TypeError, ValueError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"training state {path} is damaged ({error}); --overwrite starts afresh") from error
    log.info("resuming %s after epoch %d", path, trainer.epoch)


def train(
    recipe: Recipe,
    out: Path,
    *,
    overwrite: bool = False,
    on_epoch: Callable[[EpochReport], None] = lambda report: None,
) -> TrainResult:
    """Run ``recipe`` to its end in the folder ``out`` and write its checkpoint there.

    A state of the same recipe in ``out`` is resumed, exactly; another recipe's, or a checkpoint without a state, raises
    :class:`OutputError` unless ``overwrite``. ``on_epoch`` hears of every epoch after its state has been written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"output folder {out} cannot be used: {error}") from error
    state_path = out / STATE_FILE
    if (out / MODEL_FILE).exists() and not state_path.exists() and not overwrite:
        raise OutputError(f"{out / MODEL_FILE} is another run's; give another --out, or --overwrite to replace it")
    trainer = Trainer(recipe, load_dataset(recipe.dataset))
    with _reproducible(recipe.threads):
        if state_path.exists() and not overwrite:
            _resume(trainer, state_path)
        while trainer.epoch < recipe.epochs:
            report = trainer.run_epoch()
            _write_state(trainer, state_path)
            on_epoch(report)
        result = trainer.test_accuracy()
    info = {"recipe": recipe.model_dump(mode="json"), "test_accuracy": result}
    save_checkpoint(trainer.model, out / MODEL_FILE, info)
    return TrainResult(out / MODEL_FILE, result, len(trainer.test_labels))
