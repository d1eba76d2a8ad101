"""`bvit-hw train`: trains a network, quantization-aware, into a checkpoint; alone or under torchrun."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bvit_hw.cli.words import Command
from bvit_hw.threads import choose_threads, usable_cores

if TYPE_CHECKING:  # PyTorch is imported when a run begins: help and mistakes must not wait for it
    from bvit_hw.data import ImageData
    from bvit_hw.models.network_toml import NetworkDescription
    from bvit_hw.train import Recipe, TrainResult

#: bvit_hw.data.augment.AUGMENTATIONS, which imports PyTorch; a test compares the two
AUGMENTATIONS = ("affine", "paper", "crop-flip", "crop", "none")

#: what ``--teacher`` says for labels
_NO_TEACHER = "none"


def _speaks() -> bool:
    """Whether this is the process that talks to the user: the only one, or torchrun's first."""
    return os.environ.get("RANK", "0") == "0"


def _say(text: str) -> None:
    if _speaks():
        click.echo(text, err=True)


def _network(preset: str | None, file: Path | None) -> str | NetworkDescription:
    """The name of a preset, or what the network file says."""
    from bvit_hw.errors import ConfigError
    from bvit_hw.models.network_toml import read_network

    if file is None:
        return preset or "tiny-digits"
    if preset is not None:
        raise ConfigError(f"--preset {preset} and --network {file}: give one of them")
    return read_network(file)


def _recipe(
    network: str | NetworkDescription,
    named: str | None,
    data: str | None,
    download: bool,
    convert_colours: bool,
    **changes: object,
) -> tuple[Recipe, ImageData]:
    """The run that the options describe, and its data.

    A preset's classifier is as wide as folders have classes; a network file says itself how wide, and must be right.
    """
    from bvit_hw.data import open_data, parse_data
    from bvit_hw.data.colours import with_channels
    from bvit_hw.errors import ConfigError, DatasetError
    from bvit_hw.train import training_recipe

    recipe = training_recipe(network, recipe=named, data=data, **changes)  # type: ignore[arg-type]
    try:
        opened = open_data(recipe.dataset, download=download)
    except (ConfigError, DatasetError) as error:
        if data is not None or isinstance(network, str):
            raise
        # Nobody typed it: the file says it.
        raise type(error)(f"network file {network.name}.toml: data = {recipe.dataset!r}: {error}") from error
    if convert_colours and opened.channels != recipe.model.in_channels:
        _say(f"{opened.name}: {opened.channels} channels, converted to the network's {recipe.model.in_channels}")
        opened = with_channels(opened, recipe.model.in_channels)
    if not isinstance(network, str) and opened.classes != recipe.model.classes:
        some = ", ".join(opened.class_names[:4]) + (", ..." if opened.classes > 4 else "")
        raise ConfigError(
            f"network file {network.name}.toml: classes = {recipe.model.classes}; {recipe.dataset} has "
            f"{opened.classes} ({some})"
        )
    if parse_data(recipe.dataset)[0] in ("imagenet", "tree", "npz") and opened.classes != recipe.model.classes:
        _say(f"{opened.name}: {opened.classes} classes; the classifier follows")
        recipe = recipe.changed(model=recipe.model.model_copy(update={"classes": opened.classes}).model_dump())
    return recipe, opened


def _with_teacher(recipe: Recipe, named: str | None, teacher: str | None, download: bool) -> Recipe:
    """The paper's recipe distils; without a teacher at hand it goes on with labels, and says so."""
    from bvit_hw.train.distill import HUB_TEACHER

    if teacher is not None:
        return recipe.changed(teacher=None if teacher == _NO_TEACHER else teacher)
    if recipe.augmentation != "paper" and named != "paper":
        return recipe
    if download:
        return recipe.changed(teacher=HUB_TEACHER)
    _say(
        "warning: no --teacher: training on labels. The paper's run distils from DeiT-S: --teacher WEIGHTS, or "
        "--download to fetch the published ones (--teacher none: labels, without this warning)"
    )
    return recipe


@click.command("train", cls=Command)
@click.option("--preset", help="The network (`bvit-hw models` lists them; default tiny-digits).")
@click.option(
    "--network",
    type=click.Path(path_type=Path),
    help="A network of your own instead: its .toml file (`bvit-hw init` writes one, docs/models.md).",
)
@click.option("--recipe", "named", help="digits, cifar, pictures or paper; the network's own by default.")
@click.option(
    "--data",
    help="digits, cifar10=DIR, cifar100=DIR, mnist=DIR, imagenet=DIR, DIR with train/ and val/, or an .npz file "
    "(default: the network's).",
)
@click.option(
    "--convert-colours", is_flag=True, help="Grey pictures for a colour network, or the reverse; refused otherwise."
)
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for state and checkpoint (default build/train/NETWORK)."
)
@click.option("--epochs", type=click.IntRange(min=1), help="Length of the run; the recipe's own by default.")
@click.option("--quant-epochs", type=click.IntRange(min=0), help="How many of them, at the end, train quantized.")
@click.option("--batch-size", type=click.IntRange(min=2), help="Images of one process in one pass.")
@click.option("--accumulate", type=click.IntRange(min=1), help="Passes of a step.")
@click.option("--lr", type=float, help="Peak learning rate (paper: for a step of 512 images).")
@click.option("--teacher", help="Checkpoint of ours, DeiT-S weights, deit-small (with --download), or none.")
@click.option("--teacher-share", type=click.FloatRange(0, 1), help="Its part in the loss; labels have the rest.")
@click.option("--temperature", type=click.FloatRange(min=0, min_open=True), help="Of the teacher's softmax.")
@click.option("--label-smoothing", type=click.FloatRange(0, 1))
@click.option(
    "--augmentation", type=click.Choice(AUGMENTATIONS), help="What moves the pictures; the recipe's own by default."
)
@click.option("--rand-augment", type=click.IntRange(0, 8), help="Random operations before it (RandAugment).")
@click.option("--cutout", type=click.IntRange(min=0), help="Side in pixels of a square that is blanked.")
@click.option("--mixup", type=click.FloatRange(0, 8), help="alpha of mixup.")
@click.option("--precision", type=click.Choice(["32", "bf16-mixed"]), help="Arithmetic of the passes.")
@click.option(
    "--compile/--no-compile",
    "compiled",
    default=None,
    help="torch.compile the blocks (by default on GPUs, but for the digits).",
)
@click.option(
    "--fuse/--no-fuse",
    "fused",
    default=None,
    help="Fuse what stands between products, where blocks are not compiled (by default on GPUs, and on CPUs for "
    "small pictures).",
)
@click.option(
    "--gradients",
    type=click.Choice(["32", "bf16"]),
    help="What gradients are multiplied in, with --fuse on a CPU (by default 32; for small pictures bf16 where the "
    "processor has it).",
)
@click.option("--threads", type=click.IntRange(1, 1024), help="CPU threads of a process.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--workers", type=click.IntRange(0, 1024), help="Processes that read pictures, for each process.")
@click.option("--save-steps", type=click.IntRange(min=0), default=0, help="Save the state every so many steps, too.")
@click.option("--save-minutes", type=click.FloatRange(min=0), default=10.0, show_default=True, help="… and minutes.")
@click.option(
    "--evaluate-every",
    type=click.IntRange(min=0),
    default=1,
    show_default=True,
    help="Epochs between measurements on the test images (0: at the end only).",
)
@click.option("--tensorboard/--no-tensorboard", default=True, show_default=True)
@click.option(
    "--download", is_flag=True, help="Fetch CIFAR or the paper's teacher where missing; nothing is otherwise."
)
@click.option(
    "--resume/--overwrite",
    default=True,
    help="Go on from a state of the same run in --out (default), or start afresh over whatever is there.",
)
def train_command(
    preset: str | None,
    network: Path | None,
    named: str | None,
    data: str | None,
    convert_colours: bool,
    out: Path | None,
    epochs: int | None,
    quant_epochs: int | None,
    batch_size: int | None,
    accumulate: int | None,
    lr: float | None,
    teacher: str | None,
    teacher_share: float | None,
    temperature: float | None,
    label_smoothing: float | None,
    augmentation: str | None,
    rand_augment: int | None,
    cutout: int | None,
    mixup: float | None,
    precision: str | None,
    compiled: bool | None,
    fused: bool | None,
    gradients: str | None,
    threads: int | None,
    seed: int,
    device: str,
    workers: int | None,
    save_steps: int,
    save_minutes: float,
    evaluate_every: int,
    tensorboard: bool,
    download: bool,
    resume: bool,
) -> None:
    """Train a BinaryViT and write its checkpoint; a run that was stopped goes on where it was.

    More processes, GPUs or machines: torchrun --nproc-per-node 8 -m bvit_hw.cli train … (docs/training.md).
    """
    from bvit_hw.train import RunOptions, train
    from bvit_hw.train.device_batches import fits_device
    from bvit_hw.train.display import TrainDisplay

    asked = _network(preset, network)
    name = asked if isinstance(asked, str) else asked.name
    recipe, opened = _recipe(
        asked,
        named,
        data,
        download,
        convert_colours,
        epochs=epochs,
        quant_epochs=quant_epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        learning_rate=lr,
        teacher_share=teacher_share,
        temperature=temperature,
        label_smoothing=label_smoothing,
        augmentation=augmentation,
        rand_augment=rand_augment,
        cutout=cutout,
        mixup=mixup,
        precision=precision,
        compile=compiled,
        fuse=fused,
        gradients=gradients,
        threads=threads,
        seed=seed,
    )
    recipe = _with_teacher(recipe, named, teacher, download)
    cores = usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    options = RunOptions(
        device=device,
        workers=workers if workers is not None else 0 if recipe.augmentation == "affine" else min(8, max(1, cores)),
        save_steps=save_steps,
        save_minutes=save_minutes,
        evaluate_every=evaluate_every,
        tensorboard=tensorboard,
        download=download,
        network=name,
    )
    chosen = choose_threads(recipe.threads, why="--threads" if threads is not None else "the recipe's")
    readers = 0 if fits_device(recipe, opened) or recipe.augmentation == "affine" else options.workers
    _say(f"{chosen}{f', {readers} processes that read pictures' if readers else ''}")
    display = TrainDisplay(name, recipe.epochs, shown=_speaks())
    start = time.monotonic()
    with display.shown():
        result = train(
            recipe,
            out or Path("build") / "train" / name,
            overwrite=not resume,
            options=options,
            data=opened,
            on_epoch=display.epoch,
            on_step=display.step,
        )
    if _speaks():
        click.echo(_summary(name, recipe, result, time.monotonic() - start))


def _summary(name: str, recipe: Recipe, result: TrainResult, seconds: float) -> str:
    kind = "QAT model" if recipe.quant_epochs else "model (float residual stream)"
    top5 = f" (top-5 {100 * result.top5:.2f} %)" if recipe.model.classes > 10 else ""
    return (
        f"{name}: {kind} classifies {100 * result.accuracy:.2f} %{top5} of {result.test_images} test images "
        f"({seconds:.0f} s); checkpoint {result.checkpoint}"
    )
