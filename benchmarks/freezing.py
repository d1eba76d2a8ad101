"""What rounding costs a shipped checkpoint when it is frozen, as docs/freezing.md states it.

    python benchmarks/freezing.py                                                  # tiny-digits: widths of mantissas
    python benchmarks/freezing.py --checkpoint cifar10 --data cifar10=DIR          # and constants, and a changed pixel
    python benchmarks/freezing.py --checkpoint cifar10 --data cifar10=DIR --split train
    python benchmarks/freezing.py --checkpoint fashion-mnist --data fashion-mnist

One JSON line says whether the way to round constants changes an operator's widths. Then one for each way to freeze has
accuracy, cross entropy, labels unlike the QAT model's, and the distance of the logits.
"constants to the nearest" is how freezing rounded until 2026-11-27: the constant in front of a rounding shift, and then
the half of that shift. "changed pixel" is the network as it is, on images of which one colour of one pixel is changed
by 1 of 255. A line that is compared with another also says what chance makes of it: one standard deviation of the
difference of their accuracies and of their cross entropies.
"""

from __future__ import annotations

import json
from pathlib import Path
from unittest.mock import patch

import click
import numpy as np
import torch
from machine import processor

from bvit_hw.contract import FrozenGraph, fixed_point
from bvit_hw.data.sources import ArraySplit, open_data
from bvit_hw.execute.packed import PackedBinaryViT
from bvit_hw.freeze import freeze
from bvit_hw.freeze.calibrate import model_logits
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.models import BinaryViT, load_checkpoint, shipped_checkpoint

Logits = np.ndarray


def to_nearest(values: np.ndarray, shift: int) -> np.ndarray:
    """A constant rounded by itself, then the half of the shift behind it."""
    return fixed_point.half_up(values) + (1 << shift - 1 if shift else 0)


def frozen(model: BinaryViT, bits: int, nearest: bool) -> FrozenGraph:
    """The network with mantissas and slopes of ``bits`` bits."""
    with patch.object(fixed_point, "_constant", to_nearest if nearest else fixed_point._constant):
        return freeze(model, coef_bits=bits, slope_bits=bits)


def logits_of(graph: FrozenGraph, images: np.ndarray) -> Logits:
    """Real logits, N x classes."""
    return PackedBinaryViT(graph).logits(images) * 2.0 ** graph.tensors[graph.output].exponent


def changed(images: np.ndarray, seed: int = 0) -> np.ndarray:
    """A copy in which each image has one value that is 1 more or, by chance and at 255, 1 less."""
    rng = np.random.default_rng(seed)
    copy = images.copy()
    flat = copy.reshape(len(copy), -1)
    rows, places = np.arange(len(flat)), rng.integers(0, flat.shape[1], len(flat))
    value = flat[rows, places].astype(np.int64)
    up = np.where(value == 0, True, np.where(value == 255, False, rng.integers(0, 2, len(flat)) == 1))
    flat[rows, places] = (value + np.where(up, 1, -1)).astype(images.dtype)
    return copy


def cross_entropy(logits: Logits, labels: np.ndarray) -> np.ndarray:
    """Of each image."""
    top = logits.max(axis=1, keepdims=True)
    total = np.log(np.exp(logits - top).sum(axis=1)) + top[:, 0]
    return total - logits[np.arange(len(labels)), labels]


def compared(logits: Logits, reference: Logits, labels: np.ndarray) -> dict[str, float]:
    """One network's logits beside another's on the same images."""
    right, other = logits.argmax(axis=1) == labels, reference.argmax(axis=1) == labels
    entropies = cross_entropy(logits, labels) - cross_entropy(reference, labels)
    return {
        "labels_unlike": int((logits.argmax(axis=1) != reference.argmax(axis=1)).sum()),
        "only_other_right": int((other & ~right).sum()),
        "only_this_right": int((right & ~other).sum()),
        "chance_accuracy": round(float(np.sqrt((right != other).sum())) / len(labels), 5),
        "chance_cross_entropy": round(float(entropies.std() / np.sqrt(len(labels))), 5),
        "mean_distance": round(float(np.abs(logits - reference).mean()), 4),
    }


def line(name: str, logits: Logits, labels: np.ndarray, **others: object) -> str:
    """One result."""
    return json.dumps({
        "network": name,
        "accuracy": float((logits.argmax(axis=1) == labels).mean()),
        "cross_entropy": round(float(cross_entropy(logits, labels).mean()), 5),
        **others,
    })  # fmt: skip


@click.command()
@click.option("--checkpoint", default="tiny-digits", show_default=True, help="A shipped one, by name.")
@click.option("--data", default="digits", show_default=True, help="As bvit-hw takes it.")
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True)
@click.option("--images", default=10_000, show_default=True, help="At most, the first of the split.")
@click.option("--threads", default=1, show_default=True)
def main(checkpoint: str, data: str, split: str, images: int, threads: int) -> None:
    """Compare ways to round."""
    torch.set_num_threads(threads)
    path = shipped_checkpoint(checkpoint)
    model = load_checkpoint(path)
    source = open_data(data)
    part = getattr(source, split)
    assert isinstance(part, ArraySplit), "a dataset that lies in memory"
    pixels, labels = part.images[:images], part.labels[:images]
    click.echo(json.dumps({
        "processor": processor(), "torch": torch.__version__, "checkpoint": Path(path).name, "data": source.name,
        "split": split, "images": len(labels),
    }))  # fmt: skip
    down, near = ([node.op for node in hw_graph_of(frozen(model, 8, way)).nodes] for way in (False, True))
    click.echo(json.dumps({"operators": len(down), "of_the_same_widths_with_constants_to_the_nearest": down == near}))
    qat = model_logits(model, pixels)
    click.echo(line("qat", qat, labels, deviation=round(float(qat.std()), 3)))
    as_it_is = None
    ways = [(8, False), (8, True), (12, True), (6, False), (10, False), (12, False)]
    for bits, nearest in ways:
        found = logits_of(frozen(model, bits, nearest), pixels)
        as_it_is = found if as_it_is is None else as_it_is
        name = f"{bits} bits{', constants to the nearest' if nearest else ''}"
        click.echo(line(name, found, labels, to_qat=compared(found, qat, labels)))
    assert as_it_is is not None
    found = logits_of(frozen(model, 8, nearest=False), changed(pixels))
    click.echo(line("8 bits, changed pixel", found, labels, to_unchanged=compared(found, as_it_is, labels)))


if __name__ == "__main__":
    main()
