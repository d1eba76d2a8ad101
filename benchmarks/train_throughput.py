"""Images a second and peak memory of a training step: ours against a plain eager implementation, or against a commit.

Forward, cross-entropy against a given softmax (a teacher's cost is not counted), backward, AdamW. Every variant lives
in a process of its own, so that peak memory is its own. On a CPU they take turns step by step, which shares out what
else the machine does; on a GPU one runs after the other. `plain` is benchmarks/plain_binaryvit.py: eager, float32,
AdamW as it comes; `plain, kept memory` has our allocator setting. Prints one JSON line a variant with the ratio to
`plain` as soon as it is known. The same command runs on CPU and CUDA:

    python benchmarks/train_throughput.py --batch 4 --steps 5
    python benchmarks/train_throughput.py --device cuda --batch 64 --steps 20

With --against COMMIT whole steps of bvit_hw.train.Trainer are measured instead, as the preset's recipe trains on a CPU,
augmentation included, on random pictures: this tree with each of --options against that of COMMIT, taking turns step
by step.
Beside seconds by the clock it tells those of the processor, which other programs disturb less, and the median of the
ratios of neighbouring steps:

    python benchmarks/train_throughput.py --against 80ff0ed --preset cifar10 --batch 128 --steps 7 --threads 1
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, os.environ.get("BVIT_HW_BENCHMARK_TREE", str(Path(__file__).resolve().parents[1])))

from machine import processor
from plain_binaryvit import PlainBinaryViT, PlainSizes

from bvit_hw.data.datasets import Dataset
from bvit_hw.data.sources import data_of_arrays
from bvit_hw.models import BinaryViT, BinaryViTConfig, preset
from bvit_hw.train import Trainer
from bvit_hw.train.memory import keep_freed_memory
from bvit_hw.train.recipe import Recipe

ROOT = Path(__file__).resolve().parents[1]
#: where a child finds the package, when that is another commit's
TREE = "BVIT_HW_BENCHMARK_TREE"

#: name to (implementation, options)
VARIANTS: dict[str, tuple[str, frozenset[str]]] = {
    "plain": ("plain", frozenset()),
    "plain bf16": ("plain", frozenset({"bf16"})),
    "plain compiled": ("plain", frozenset({"compile"})),
    "plain, kept memory": ("plain", frozenset({"keep"})),
    "ours": ("ours", frozenset({"fused", "keep"})),
    "ours, steps fused": ("ours", frozenset({"fused", "keep", "steps"})),
    "ours, steps fused, bf16 gradients": ("ours", frozenset({"fused", "keep", "steps", "gradients"})),
    "ours, memory not kept": ("ours", frozenset({"fused"})),
    "ours, AdamW not fused": ("ours", frozenset({"keep"})),
    "ours, images channels-last": ("ours", frozenset({"fused", "keep", "channels_last"})),
    "ours bf16": ("ours", frozenset({"fused", "keep", "bf16"})),
    "ours compiled": ("ours", frozenset({"fused", "keep", "compile"})),
    "ours compiled bf16": ("ours", frozenset({"fused", "keep", "compile", "bf16"})),
}

#: what the recipe "pictures" says, in fields that recipes of older commits have as well
RUN: dict[str, Any] = {
    "epochs": 200,
    "quant_epochs": 30,
    "learning_rate": 3e-3,
    "augmentation": "crop-flip",
    "threads": None,
}
#: phases of the recipe, each measured on this tree and on the commit's
PHASES = ("float", "quantized")
#: options of a recipe, behind the phase
OPTIONS = {"fuse": ("fuse", True), "bf16 gradients": ("gradients", "bf16")}


def sizes_of(config: BinaryViTConfig) -> PlainSizes:
    """The plain implementation's description of a configuration."""
    return PlainSizes(
        image_size=config.image_size,
        channels=config.channels,
        depths=config.depths,
        heads=config.heads,
        mlp_widths=config.mlp_widths,
        reductions=config.reductions,
        classes=config.classes,
        patch_size=config.patch_size,
        some_fp=config.full_precision_merges,
        stem_norm=config.stem_norm,
        class_token=config.class_token,
        pool_branches=config.pool_branches,
        affine=config.affine,
    )


def config_of(network: str) -> BinaryViTConfig:
    """This tree's preset as a configuration of the tree that is measured, which may have fewer fields."""
    read = tomllib.loads((ROOT / "bvit_hw" / "models" / "networks" / f"{network}.toml").read_text())
    return BinaryViTConfig(**{key: value for key, value in read.items() if key in BinaryViTConfig.model_fields})


class Step:
    """A model with its optimizer on fixed random images; calling it trains one step."""

    def __init__(self, name: str, network: str, device: str, batch: int) -> None:
        implementation, self.options = VARIANTS[name]
        if "keep" in self.options and device == "cpu":
            keep_freed_memory()
        config = preset(network)
        torch.manual_seed(0)
        self.device = torch.device(device)
        model: nn.Module = PlainBinaryViT(sizes_of(config)) if implementation == "plain" else BinaryViT(config)
        self.model = model.train().to(self.device)
        if "compile" in self.options:
            parts = self.model.vit.encoder.layer if implementation == "plain" else (*model.blocks, *model.merges)
            for part in parts:
                part.compile()
        fused = {"fused": True} if "fused" in self.options else {}
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=5e-4, weight_decay=0.0, **fused)
        side = config.image_size
        self.images = torch.randn(batch, config.in_channels, side, side, device=self.device)
        if "channels_last" in self.options:
            self.images = self.images.contiguous(memory_format=torch.channels_last)
        self.steps: Any = None
        if "steps" in self.options:
            from bvit_hw.train.step_kinds import steps_of

            gradients = "bf16" if "gradients" in self.options else "32"
            recipe = Recipe(dataset="./random", model=config, epochs=1, fuse=True, gradients=gradients)
            self.steps = steps_of(recipe, self.device)
        self.target = torch.randn(batch, config.classes, device=self.device).softmax(dim=1)

    def __call__(self) -> tuple[float, float]:
        """Seconds of one step by the clock and by the processor, and it is over when they are."""
        start, worked = time.perf_counter(), time.process_time()
        cast = torch.autocast(self.device.type, dtype=torch.bfloat16) if "bf16" in self.options else nullcontext()
        self.optimizer.zero_grad(set_to_none=True)
        with self.steps.context() if self.steps else nullcontext():
            with cast:
                loss: Tensor = F.cross_entropy(self.model(self.images).float(), self.target)
            loss.backward()
        self.optimizer.step()
        loss.item()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, time.process_time() - worked

    def peak(self) -> float:
        """Peak memory in GiB: the device's allocations on a GPU, the whole process on a CPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**30
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


class RecipeStep:
    """A run of a preset's recipe on random pictures; calling it trains one step."""

    def __init__(self, phase: str, network: str, batch: int, options: list[str]) -> None:
        keep_freed_memory()
        torch.use_deterministic_algorithms(True)
        torch.utils.deterministic.fill_uninitialized_memory = False
        config = config_of(network)
        random, count = np.random.default_rng(0), 50_000  # as many as CIFAR-10 has
        images = random.integers(0, 256, (count, config.image_size, config.image_size, config.in_channels), np.uint8)
        labels = np.arange(count) % config.classes
        data = Dataset("random", config.classes, images, labels, images[:batch], labels[:batch])
        asked = dict(OPTIONS[option] for option in options if option in OPTIONS)
        wanted = {**RUN, "batch_size": batch, "calibration_images": batch, **asked}
        recipe = Recipe(dataset="./random", model=config, **wanted)
        self.trainer = Trainer(recipe, data_of_arrays(data))
        if phase == "quantized":
            self.trainer.epoch = recipe.epochs - recipe.quant_epochs

    def __call__(self) -> tuple[float, float]:
        """Seconds of one step by the clock and by the processor."""
        if self.trainer.step == self.trainer.steps:
            self.trainer.end_epoch()
        start, worked = time.perf_counter(), time.process_time()
        self.trainer.run_step()
        return time.perf_counter() - start, time.process_time() - worked

    def peak(self) -> float:
        """Peak memory of the process in GiB."""
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _child(pipe: Connection, name: str, network: str, device: str, batch: int, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    phase, *more = name.split(", ")
    step = RecipeStep(phase, network, batch, more) if phase in PHASES else Step(name, network, device, batch)
    while (order := pipe.recv()) is not None:
        pipe.send([step() for _ in range(order)])
    pipe.send(step.peak())


def measure(
    names: list[str],
    network: str,
    device: str,
    batch: int,
    steps: int,
    warm_up: int,
    threads: int,
    patience: float,
    trees: dict[str, Path] | None = None,
) -> Iterator[tuple[str, list[tuple[float, float]], float]]:
    """Each variant, seconds (clock, processor) of every measured step, peak GiB: as soon as they are known.

    Fewer steps once ``patience`` seconds are over. ``trees`` are variants whose package is another one.
    """
    context = multiprocessing.get_context("spawn")
    groups = [names] if device == "cpu" else [[name] for name in names]
    for group in groups:
        seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in group}
        peaks: dict[str, float] = {}
        pipes: dict[str, Connection] = {}
        children: list[Any] = []
        for name in group:
            pipes[name], theirs = context.Pipe()
            child = context.Process(target=_child, args=(theirs, name, network, device, batch, threads), daemon=True)
            os.environ[TREE] = str((trees or {}).get(name, ROOT))
            child.start()
            theirs.close()
            children.append(child)
        for name, pipe in pipes.items():
            pipe.send(warm_up)
            pipe.recv()
            click.echo(f"{name}: warm", err=True)
        end = time.monotonic() + patience
        for number in range(steps):
            if number and time.monotonic() > end:
                break
            for name, pipe in pipes.items():
                pipe.send(1)
                seconds[name] += pipe.recv()
        for name, pipe in pipes.items():
            pipe.send(None)
            peaks[name] = pipe.recv()
        for child in children:
            child.join()
        yield from ((name, seconds[name], peaks[name]) for name in group)


@contextmanager
def tree_of(commit: str) -> Iterator[Path]:
    """The files of ``commit`` in a temporary folder."""
    with tempfile.TemporaryDirectory() as folder:
        packed = subprocess.run(["git", "-C", str(ROOT), "archive", commit], check=True, stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "-C", folder], check=True, input=packed.stdout)
        yield Path(folder)


@click.command()
@click.option("--preset", "network", default="small-224", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda" if torch.cuda.is_available() else "cpu")
@click.option("--batch", default=4, show_default=True)
@click.option("--steps", default=5, show_default=True, help="Measured steps of each variant.")
@click.option("--warm-up", default=2, show_default=True)
@click.option("--threads", default=1, show_default=True, help="CPU threads of each variant.")
@click.option("--patience", default=600.0, show_default=True, help="Seconds after which no further round is begun.")
@click.option("--variant", "names", multiple=True, help="Some of: " + "; ".join(VARIANTS) + ". All by default.")
@click.option("--against", help="A commit: measure the recipe's steps on a CPU, in this tree and in that one.")
@click.option("--phase", type=click.Choice(PHASES), multiple=True, help="With --against; the first one by default.")
@click.option(
    "--options", "options_of", multiple=True, default=("fuse", "fuse, bf16 gradients"),
    help="With --against; of this tree's recipe, each alternative in one text: " + ", ".join(OPTIONS) + ".",
)  # fmt: skip
def main(
    network: str,
    device: str,
    batch: int,
    steps: int,
    warm_up: int,
    threads: int,
    patience: float,
    names: tuple[str, ...],
    against: str | None,
    phase: tuple[str, ...],
    options_of: tuple[str, ...],
) -> None:
    """Measure and print."""
    if against is not None:
        device = "cpu"
        with tree_of(against) as tree:
            for one in phase or PHASES[:1]:
                before = f"{one}, {against}"
                names = (before, *(f"{one}, {options}" for options in options_of))
                found = measure(list(names), network, device, batch, steps, warm_up, threads, patience, {before: tree})
                _tell(found, network, device, batch, threads)
        return
    chosen = ["plain", *(name for name in (names or VARIANTS) if name != "plain")]
    found = measure(chosen, network, device, batch, steps, warm_up, threads, patience)
    _tell(found, network, device, batch, threads)


def _tell(
    found: Iterable[tuple[str, list[tuple[float, float]], float]],
    network: str,
    device: str,
    batch: int,
    threads: int,
) -> None:
    where = torch.cuda.get_device_name() if device == "cuda" else processor()
    first: tuple[str, list[tuple[float, float]]] | None = None
    for name, seconds, peak in found:
        first = first or (name, seconds)
        median, worked = (statistics.median(each) for each in zip(*seconds, strict=True))
        # Where patience has ended a variant has fewer steps.
        pairs = list(zip(first[1], seconds, strict=False))
        ratios = [statistics.median([a[i] / b[i] for a, b in pairs]) for i in (0, 1)]
        line = {
            "variant": name,
            "preset": network,
            "device": where,
            "batch": batch,
            "threads": threads,
            "steps": len(seconds),
            "seconds_a_step": round(median, 4),
            "images_a_second": round(batch / median, 2),
            "processor_seconds_a_step": round(worked, 4),
            f"ratio_to_{first[0]}": round(ratios[0], 2),
            "ratio_of_processor_seconds": round(ratios[1], 2),
            "peak_gib": round(peak, 2),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
