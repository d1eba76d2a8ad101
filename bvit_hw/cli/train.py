"""`bvit-hw train`: trains a network, quantization-aware, into a checkpoint; alone or under torchrun."""

from __future__ import annotations

import os
from pathlib import Path

import click

from bvit_hw import api
from bvit_hw.cli.words import Command, complete_preset

#: bvit_hw.data.augment.AUGMENTATIONS, which imports PyTorch; a test compares the two
AUGMENTATIONS = ("affine", "paper", "crop-flip", "crop", "none")


def _speaks() -> bool:
    """Whether this is the process that talks to the user: the only one, or torchrun's first."""
    return os.environ.get("RANK", "0") == "0"


def _say(text: str) -> None:
    if _speaks():
        click.echo(text, err=True)


@click.command("train", cls=Command)
@click.option("--preset", shell_complete=complete_preset,
              help="The network (`bvit-hw models` lists them; default tiny-digits).")  # fmt: skip
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
    trained = api.train(
        preset=preset,
        network=network,
        recipe=named,
        data=data,
        convert_colours=convert_colours,
        out=out,
        overwrite=not resume,
        epochs=epochs,
        quant_epochs=quant_epochs,
        batch_size=batch_size,
        accumulate=accumulate,
        lr=lr,
        teacher=teacher,
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
        device=device,
        workers=workers,
        save_steps=save_steps,
        save_minutes=save_minutes,
        evaluate_every=evaluate_every,
        tensorboard=tensorboard,
        download=download,
        show_progress=_speaks(),
        say=_say,
    )
    if _speaks():
        click.echo(_summary(trained))


def _summary(trained: api.Trained) -> str:
    kind = "QAT model" if trained.quantized else "model (float residual stream)"
    top5 = f" (top-5 {100 * trained.top5:.2f} %)" if trained.classes > 10 else ""
    return (
        f"{trained.name}: {kind} classifies {100 * trained.accuracy:.2f} %{top5} of {trained.test_images} test images "
        f"({trained.seconds:.0f} s); checkpoint {trained.network.path}"
    )
