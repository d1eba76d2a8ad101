"""`bvit-hw train`: trains a preset's network, quantization-aware, into a checkpoint."""

from __future__ import annotations

import time
from pathlib import Path

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bvit_hw.train import EpochReport, train, training_recipe


@click.command("train")
@click.option("--preset", default="tiny-digits", show_default=True, help="What to train on what.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for state and checkpoint (default build/train/PRESET)."
)
@click.option("--epochs", type=int, help="Length of the run; the preset's own by default.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--resume/--overwrite",
    default=True,
    help="Go on from a state of the same run in --out (default), or start afresh over whatever is there.",
)
def train_command(preset: str, out: Path | None, epochs: int | None, seed: int, resume: bool) -> None:
    """Train a BinaryViT and write its checkpoint; a run that was stopped goes on where it was."""
    recipe = training_recipe(preset, epochs=epochs, seed=seed)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("epochs"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[status]}"),
    )
    start = time.monotonic()
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(f"training {preset}", total=recipe.epochs, status="")

        def show(report: EpochReport) -> None:
            phase = "quantized" if report.mode == "quant" else "float residual"
            progress.update(task, completed=report.epoch, status=f"{phase}, loss {report.loss:.3f}")

        result = train(recipe, out or Path("build") / "train" / preset, overwrite=not resume, on_epoch=show)
    click.echo(
        f"{preset}: QAT model classifies {100 * result.accuracy:.2f} % of {result.test_images} test images "
        f"({time.monotonic() - start:.0f} s); checkpoint {result.checkpoint}"
    )
