"""Images a second and peak memory of a training step: ours against a plain eager implementation, in one run.

Forward, cross-entropy against a given softmax (a teacher's cost is not counted), backward, AdamW. Every variant lives
in a process of its own, so that peak memory is its own. On a CPU they take turns step by step, which shares out what
else the machine does; on a GPU one runs after the other. `plain` is benchmarks/plain_binaryvit.py: eager, float32,
AdamW as it comes; `plain, kept memory` has our allocator setting. Prints one JSON line a variant with the ratio to
`plain`. The same command runs on CPU and CUDA:

    python benchmarks/train_throughput.py --batch 4 --steps 5
    python benchmarks/train_throughput.py --device cuda --batch 64 --steps 20
"""

from __future__ import annotations

import json
import multiprocessing
import resource
import statistics
import sys
import time
from contextlib import nullcontext
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import click
import torch
import torch.nn.functional as F
from torch import Tensor, nn

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from machine import processor
from plain_binaryvit import PlainBinaryViT, PlainSizes

from bvit_hw.models import BinaryViT, BinaryViTConfig, preset
from bvit_hw.train.memory import keep_freed_memory

#: name to (implementation, options)
VARIANTS: dict[str, tuple[str, frozenset[str]]] = {
    "plain": ("plain", frozenset()),
    "plain bf16": ("plain", frozenset({"bf16"})),
    "plain compiled": ("plain", frozenset({"compile"})),
    "plain, kept memory": ("plain", frozenset({"keep"})),
    "ours": ("ours", frozenset({"fused", "keep"})),
    "ours, memory not kept": ("ours", frozenset({"fused"})),
    "ours, AdamW not fused": ("ours", frozenset({"keep"})),
    "ours, images channels-last": ("ours", frozenset({"fused", "keep", "channels_last"})),
    "ours bf16": ("ours", frozenset({"fused", "keep", "bf16"})),
    "ours compiled": ("ours", frozenset({"fused", "keep", "compile"})),
    "ours compiled bf16": ("ours", frozenset({"fused", "keep", "compile", "bf16"})),
}


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
        self.target = torch.randn(batch, config.classes, device=self.device).softmax(dim=1)

    def __call__(self) -> float:
        """Seconds of one step, and it is over when they are."""
        start = time.perf_counter()
        cast = torch.autocast(self.device.type, dtype=torch.bfloat16) if "bf16" in self.options else nullcontext()
        self.optimizer.zero_grad(set_to_none=True)
        with cast:
            loss: Tensor = F.cross_entropy(self.model(self.images).float(), self.target)
        loss.backward()
        self.optimizer.step()
        loss.item()
        if self.device.type == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start

    def peak(self) -> float:
        """Peak memory in GiB: the device's allocations on a GPU, the whole process on a CPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated() / 2**30
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def _child(pipe: Connection, name: str, network: str, device: str, batch: int, threads: int) -> None:
    torch.set_num_threads(threads)
    torch.backends.cuda.matmul.allow_tf32 = True
    step = Step(name, network, device, batch)
    while (order := pipe.recv()) is not None:
        pipe.send([step() for _ in range(order)])
    pipe.send(step.peak())


def measure(
    names: list[str], network: str, device: str, batch: int, steps: int, warm_up: int, threads: int, patience: float
) -> dict[str, tuple[list[float], float]]:
    """Seconds of every measured step, and peak GiB, of each variant; fewer steps once ``patience`` seconds are over."""
    context = multiprocessing.get_context("spawn")
    seconds: dict[str, list[float]] = {name: [] for name in names}
    peaks: dict[str, float] = {}
    groups = [names] if device == "cpu" else [[name] for name in names]
    for group in groups:
        pipes: dict[str, Connection] = {}
        children: list[Any] = []
        for name in group:
            pipes[name], theirs = context.Pipe()
            child = context.Process(target=_child, args=(theirs, name, network, device, batch, threads), daemon=True)
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
    return {name: (seconds[name], peaks[name]) for name in names}


@click.command()
@click.option("--preset", "network", default="small-224", show_default=True)
@click.option("--device", type=click.Choice(["cpu", "cuda"]), default="cuda" if torch.cuda.is_available() else "cpu")
@click.option("--batch", default=4, show_default=True)
@click.option("--steps", default=5, show_default=True, help="Measured steps of each variant.")
@click.option("--warm-up", default=2, show_default=True)
@click.option("--threads", default=1, show_default=True, help="CPU threads of each variant.")
@click.option("--patience", default=600.0, show_default=True, help="Seconds after which no further round is begun.")
@click.option("--variant", "names", multiple=True, help="Some of: " + "; ".join(VARIANTS) + ". All by default.")
def main(
    network: str,
    device: str,
    batch: int,
    steps: int,
    warm_up: int,
    threads: int,
    patience: float,
    names: tuple[str, ...],
) -> None:
    """Measure and print."""
    chosen = ["plain", *(name for name in (names or VARIANTS) if name != "plain")]
    found = measure(chosen, network, device, batch, steps, warm_up, threads, patience)
    plain = statistics.median(found["plain"][0])
    where = torch.cuda.get_device_name() if device == "cuda" else processor()
    for name, (seconds, peak) in found.items():
        median = statistics.median(seconds)
        line = {
            "variant": name,
            "preset": network,
            "device": where,
            "batch": batch,
            "threads": threads,
            "steps": len(seconds),
            "seconds_a_step": round(median, 4),
            "images_a_second": round(batch / median, 2),
            "ratio_to_plain": round(plain / median, 2),
            "peak_gib": round(peak, 2),
            "torch": torch.__version__,
            "date": time.strftime("%Y-%m-%d"),
        }
        click.echo(json.dumps(line))


if __name__ == "__main__":
    main()
