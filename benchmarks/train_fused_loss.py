"""What fused steps, and gradients in bfloat16, do to a training on a CPU: losses and accuracy of short runs.

The preset's own recipe, shortened to a few epochs of some of the training pictures, the last epoch quantized; the same
seeds for every variant, so that two of them differ by rounding alone, and two seeds by what rounding may be measured
against. One JSON line a run:

    python benchmarks/train_fused_loss.py --preset cifar10 --data cifar10=DIR --threads 1
"""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import click
import torch
from machine import processor

from bvit_hw.data import ImageData, open_data
from bvit_hw.data.sources import data_of_arrays
from bvit_hw.train import Trainer, training_recipe
from bvit_hw.train.memory import keep_freed_memory

VARIANTS: dict[str, dict[str, Any]] = {
    "operators one by one": {"fuse": False},
    "fused": {"fuse": True},
    "fused, bf16 gradients": {"fuse": True, "gradients": "bf16"},
}


def part_of(data: ImageData, train: int, test: int) -> ImageData:
    """The first pictures of both splits."""
    arrays = data.arrays
    if arrays is None:
        raise click.ClickException(f"{data.name}: pictures in memory are wanted")
    return data_of_arrays(
        replace(
            arrays,
            train_images=arrays.train_images[:train],
            train_labels=arrays.train_labels[:train],
            test_images=arrays.test_images[:test],
            test_labels=arrays.test_labels[:test],
        )
    )


@click.command()
@click.option("--preset", "network", default="cifar10", show_default=True)
@click.option("--data", default=None, help="As train takes it; the preset's own by default.")
@click.option("--pictures", default=12_800, show_default=True, help="Training pictures of an epoch.")
@click.option("--test-pictures", default=2_000, show_default=True)
@click.option("--epochs", default=4, show_default=True)
@click.option("--batch", default=128, show_default=True)
@click.option("--seed", "seeds", type=int, multiple=True, default=(0, 1), show_default=True)
@click.option("--threads", default=1, show_default=True)
def main(
    network: str, data: str | None, pictures: int, test_pictures: int, epochs: int, batch: int, seeds: tuple[int, ...],
    threads: int,
) -> None:  # fmt: skip
    """Train and print."""
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True)
    keep_freed_memory()
    recipe = training_recipe(network, data=data, epochs=epochs, quant_epochs=1, batch_size=batch, threads=threads)
    part = part_of(open_data(recipe.dataset), pictures, test_pictures)
    for seed in seeds:
        for name, options in VARIANTS.items():
            trainer = Trainer(recipe.changed(seed=seed, calibration_images=1024, **options), part)
            losses: list[float] = []
            start = time.process_time()
            while trainer.epoch < epochs:
                while trainer.step < trainer.steps:
                    losses.append(trainer.run_step()[0])
                trainer.end_epoch()
            seconds = time.process_time() - start
            line = {
                "variant": name,
                "preset": network,
                "seed": seed,
                "steps": len(losses),
                "first_loss": round(losses[0], 6),
                "mean_loss_by_epoch": [
                    round(sum(part) / len(part), 4)
                    for part in (losses[i : i + trainer.steps] for i in range(0, len(losses), trainer.steps))
                ],
                "test_accuracy": round(100 * trainer.test_accuracy().top1, 2),
                "processor_seconds": round(seconds),
                "device": processor(),
                "date": time.strftime("%Y-%m-%d"),
            }
            click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
