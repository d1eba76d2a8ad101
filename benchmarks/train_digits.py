"""Accuracy and duration of training `tiny-digits` from scratch, for one or more seeds: docs/training_measured.md.

Prints one JSON line a seed: test accuracy of the QAT model, of the same weights with a float residual stream, seconds,
and whether the run gave the shipped checkpoint bit by bit (seed 0, the same kind of processor and library versions).
"""

from __future__ import annotations

import json
import tempfile
import time
from pathlib import Path

import click
import torch
from machine import processor

from bvit_hw.data import load_dataset, normalize
from bvit_hw.models import BinaryViT, load_checkpoint, shipped_checkpoint
from bvit_hw.train import accuracy, train, training_recipe


def same_weights(a: BinaryViT, b: BinaryViT) -> bool:
    """Whether two models of one configuration hold identical tensors."""
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


@click.command()
@click.option("--preset", default="tiny-digits", show_default=True)
@click.option("--epochs", type=int, help="The preset's own by default.")
@click.option("--seed", "seeds", type=int, multiple=True, default=(0,), show_default=True)
def main(preset: str, epochs: int | None, seeds: tuple[int, ...]) -> None:
    """Train once for each seed in a temporary folder and print what came out."""
    for seed in seeds:
        recipe = training_recipe(preset, epochs=epochs, seed=seed)
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            result = train(recipe, Path(folder))
            seconds = time.monotonic() - start
            model = load_checkpoint(result.checkpoint)
        dataset = load_dataset(recipe.dataset)
        images = normalize(dataset.test_images, recipe.model.mean, recipe.model.std)
        labels = torch.from_numpy(dataset.test_labels)
        reproduced = model.config == recipe.model and same_weights(model, load_checkpoint(shipped_checkpoint()))
        line = {
            "preset": preset,
            "seed": seed,
            "epochs": recipe.epochs,
            "test_images": len(labels),
            "qat_accuracy": accuracy(model, images, labels),
            "float_residual_accuracy": accuracy(model.set_mode("float"), images, labels),
            "seconds": round(seconds, 1),
            "threads": recipe.threads,
            "equals_shipped_checkpoint": reproduced,
            "processor": processor(),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
