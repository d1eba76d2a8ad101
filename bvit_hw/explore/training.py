"""Training within a search: briefly with rungs, or a finalist in full."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bvit_hw.boards import Board
from bvit_hw.data import ImageData, open_data, parse_data
from bvit_hw.data.sources import labels_of
from bvit_hw.errors import ConfigError
from bvit_hw.explore.space import Space, Training
from bvit_hw.models.config import BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription
from bvit_hw.train import EpochReport, Recipe, RunOptions, StepReport, TrainResult, train, training_recipe


@dataclass(frozen=True)
class TrainingData:
    """What all trials train on: the words that name it, the opened data, and what tells it from other data."""

    words: str
    images: ImageData

    def identity(self) -> dict[str, Any]:
        """JSON-ready: kind, sizes, classes, digest of the labels. Where it lies is no part of it."""
        labels = hashlib.sha256(labels_of(self.images.train).tobytes() + labels_of(self.images.test).tobytes())
        return {
            "kind": parse_data(self.words)[0],
            "train": len(self.images.train),
            "test": len(self.images.test),
            "classes": list(self.images.class_names),
            "labels": labels.hexdigest()[:16],
        }


def open_training_data(space: Space, words: str | None) -> TrainingData:
    """The data of ``--data``, or the base's own.

    Raises :class:`ConfigError` where the networks do not fit it, or the recipe is unknown.
    """
    words = words or space.base.data
    if words is None:
        raise ConfigError(f"network {space.base.name} has no dataset of its own: --data cifar10=DIR, mnist=DIR, ...")
    images, config = open_data(words), space.base.config
    if images.channels != config.in_channels:
        raise ConfigError(f"{words}: pictures of {images.channels} channels; the base has {config.in_channels}")
    if images.classes != config.classes:
        raise ConfigError(f"{words}: {images.classes} classes; the base {space.base.name} has {config.classes}")
    _recipe(network_of(config, space.base.name, space), space.training.epochs, space.training, words)
    return TrainingData(words, images)


def network_of(config: BinaryViTConfig, name: str, space: Space) -> NetworkDescription:
    """The network under a name, trained as the space says."""
    return NetworkDescription(name=name, config=config, summary=f"of a search around {space.base.name}",
                              recipe=space.training.recipe or space.base.recipe)  # fmt: skip


def digest_of(described: BinaryViTConfig | Board) -> str:
    """Eight digits that tell a network, or a board, from others."""
    return hashlib.sha256(json.dumps(described.model_dump(mode="json"), sort_keys=True).encode()).hexdigest()[:8]


def final_epochs(network: NetworkDescription, training: Training, data: TrainingData) -> int:
    """How long a finalist trains: as the space says, else its recipe's own length."""
    return training.final_epochs or training_recipe(network, data=data.words).epochs


def train_network(
    network: NetworkDescription,
    folder: Path,
    *,
    epochs: int,
    training: Training,
    data: TrainingData,
    options: RunOptions,
    on_epoch: Callable[[EpochReport], None],
    on_step: Callable[[StepReport], None],
) -> TrainResult:
    """Train in ``folder``, going on from a state there; ``on_epoch`` may raise to stop it."""
    recipe = _recipe(network, epochs, training, data.words)
    return train(recipe, folder, options=options, data=data.images, on_epoch=on_epoch, on_step=on_step)


def _recipe(network: NetworkDescription, epochs: int, training: Training, words: str) -> Recipe:
    return training_recipe(network, data=words, epochs=epochs, seed=training.seed, batch_size=training.batch_size)
