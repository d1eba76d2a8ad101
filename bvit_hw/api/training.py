"""Training: a network, quantization-aware, into a checkpoint; a run that was stopped goes on where it was."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bvit_hw.api.networks import Network
from bvit_hw.api.words import Say, log_it
from bvit_hw.errors import ConfigError, DatasetError
from bvit_hw.threads import choose_threads, usable_cores

if TYPE_CHECKING:
    from bvit_hw.data import ImageData
    from bvit_hw.models.network_toml import NetworkDescription
    from bvit_hw.train import Recipe

#: what ``teacher`` says for labels
_NO_TEACHER = "none"


@dataclass(frozen=True)
class Trained:
    """A finished run of the network called ``name``: its checkpoint, and its accuracy as a share of ``test_images``.

    ``quantized`` says whether its activations are: only then can it be frozen without calibration. ``top5`` is the
    share whose class is among the five highest logits; ``seconds`` are those of this call alone.
    """

    name: str
    network: Network
    accuracy: float
    top5: float
    test_images: int
    classes: int
    quantized: bool
    seconds: float


def train(
    *,
    preset: str | None = None,
    network: str | Path | None = None,
    recipe: str | None = None,
    data: str | None = None,
    convert_colours: bool = False,
    out: str | Path | None = None,
    overwrite: bool = False,
    epochs: int | None = None,
    quant_epochs: int | None = None,
    batch_size: int | None = None,
    accumulate: int | None = None,
    lr: float | None = None,
    teacher: str | None = None,
    teacher_share: float | None = None,
    temperature: float | None = None,
    label_smoothing: float | None = None,
    augmentation: str | None = None,
    rand_augment: int | None = None,
    cutout: int | None = None,
    mixup: float | None = None,
    precision: str | None = None,
    compile: bool | None = None,
    fuse: bool | None = None,
    gradients: str | None = None,
    threads: int | None = None,
    seed: int = 0,
    device: str = "auto",
    workers: int | None = None,
    save_steps: int = 0,
    save_minutes: float = 10.0,
    evaluate_every: int = 1,
    tensorboard: bool = True,
    download: bool = False,
    show_progress: bool = False,
    say: Say = log_it,
) -> Trained:
    """Train the network called ``preset`` (default tiny-digits), or that of a .toml file, and write its checkpoint.

    ``recipe`` is "digits", "cifar", "pictures" or "paper", ``data`` a dataset, a folder or an .npz; by default the
    network's own. ``out`` is the folder for state and checkpoint (default build/train/NETWORK): a state of the same run
    there is gone on from, unless ``overwrite``. What is None follows the recipe; docs/training.md says what each is.
    ``lr`` is the peak learning rate, ``teacher`` a checkpoint, "deit-small" or "none". Under torchrun every process
    calls this. Raises ConfigError for values that do not fit, DatasetError for data, OutputError for ``out``,
    TrainingError where the loss is no number any more. Nothing is downloaded without ``download``.
    """
    # PyTorch is imported when a run begins: mistakes in names must not wait for it.
    asked = _network(preset, None if network is None else Path(network))
    name = asked if isinstance(asked, str) else asked.name
    from bvit_hw.train import RunOptions
    from bvit_hw.train import train as run
    from bvit_hw.train.device_batches import fits_device
    from bvit_hw.train.display import TrainDisplay

    chosen, opened = _recipe(
        asked,
        recipe,
        data,
        download,
        convert_colours,
        say,
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
        compile=compile,
        fuse=fuse,
        gradients=gradients,
        threads=threads,
        seed=seed,
    )
    chosen = _with_teacher(chosen, recipe, teacher, download, say)
    cores = usable_cores() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    options = RunOptions(
        device=device,
        workers=workers if workers is not None else 0 if chosen.augmentation == "affine" else min(8, max(1, cores)),
        save_steps=save_steps,
        save_minutes=save_minutes,
        evaluate_every=evaluate_every,
        tensorboard=tensorboard,
        download=download,
        network=name,
    )
    told = choose_threads(chosen.threads, why="--threads" if threads is not None else "the recipe's")
    readers = 0 if fits_device(chosen, opened) or chosen.augmentation == "affine" else options.workers
    say(f"{told}{f', {readers} processes that read pictures' if readers else ''}")
    display = TrainDisplay(name, chosen.epochs, shown=show_progress)
    start = time.monotonic()
    with display.shown():
        result = run(
            chosen,
            Path("build") / "train" / name if out is None else Path(out),
            overwrite=overwrite,
            options=options,
            data=opened,
            on_epoch=display.epoch,
            on_step=display.step,
        )
    return Trained(
        name=name,
        network=Network(result.checkpoint),
        accuracy=result.accuracy,
        top5=result.top5,
        test_images=result.test_images,
        classes=chosen.model.classes,
        quantized=chosen.quant_epochs > 0,
        seconds=time.monotonic() - start,
    )


def _network(preset: str | None, file: Path | None) -> str | NetworkDescription:
    """The name of a preset, or what the network file says."""
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
    say: Say,
    **changes: object,
) -> tuple[Recipe, ImageData]:
    """The run that is asked for, and its data.

    A preset's classifier is as wide as folders have classes; a network file says itself how wide, and must be right.
    """
    from bvit_hw.data import open_data, parse_data
    from bvit_hw.data.colours import with_channels
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
        say(f"{opened.name}: {opened.channels} channels, converted to the network's {recipe.model.in_channels}")
        opened = with_channels(opened, recipe.model.in_channels)
    if not isinstance(network, str) and opened.classes != recipe.model.classes:
        some = ", ".join(opened.class_names[:4]) + (", ..." if opened.classes > 4 else "")
        raise ConfigError(
            f"network file {network.name}.toml: classes = {recipe.model.classes}; {recipe.dataset} has "
            f"{opened.classes} ({some})"
        )
    if parse_data(recipe.dataset)[0] in ("imagenet", "tree", "npz") and opened.classes != recipe.model.classes:
        say(f"{opened.name}: {opened.classes} classes; the classifier follows")
        recipe = recipe.changed(model=recipe.model.model_copy(update={"classes": opened.classes}).model_dump())
    return recipe, opened


def _with_teacher(recipe: Recipe, named: str | None, teacher: str | None, download: bool, say: Say) -> Recipe:
    """The paper's recipe distils; without a teacher at hand it goes on with labels, and says so."""
    from bvit_hw.train.distill import HUB_TEACHER

    if teacher is not None:
        return recipe.changed(teacher=None if teacher == _NO_TEACHER else teacher)
    if recipe.augmentation != "paper" and named != "paper":
        return recipe
    if download:
        return recipe.changed(teacher=HUB_TEACHER)
    say(
        "warning: no --teacher: training on labels. The paper's run distils from DeiT-S: --teacher WEIGHTS, or "
        "--download to fetch the published ones (--teacher none: labels, without this warning)"
    )
    return recipe
