"""How post-training calibration chooses the scale of a tensor, and what that costs, as docs/freezing.md states it.

For each way to choose, one JSON line: the quantized and the frozen model against the float one on the test split, by
labels that are equal and the mean cosine of the logits. The network is tiny-digits, trained here in floating point, or
a checkpoint whose own scales, if it has any, are dropped. From the root: python benchmarks/calibration.py
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import numpy as np
import torch
import torch.nn.functional as F
from machine import processor
from torch import Tensor

from bvit_hw.data import Dataset, load_dataset, normalize
from bvit_hw.freeze import freeze
from bvit_hw.freeze.calibrate import agreement, frozen_logits, model_logits
from bvit_hw.models import BinaryViT, load_checkpoint, preset

#: values of a tensor that percentiles are taken of; torch.quantile takes no more than 2^24
_SAMPLE = 1 << 20
_EXPONENTS = range(-16, 5)


def least_squares(values: Tensor, bits: int) -> int:
    """What the product does: the exponent of least squared error."""
    high = 2 ** (bits - 1)

    def error(exponent: int) -> float:
        rounded = (values * 2.0**-exponent).round().clamp(-high, high - 1) * 2.0**exponent
        return float((rounded - values).square().sum(dtype=torch.float64))

    return min(_EXPONENTS, key=error)


def percentile(share: float) -> Callable[[Tensor, int], int]:
    """The finest exponent that holds ``share`` of all magnitudes."""

    def choose(values: Tensor, bits: int) -> int:
        magnitudes = values.abs()
        if share < 1:
            magnitudes = magnitudes[:: len(magnitudes) // _SAMPLE | 1].quantile(share)
        peak = float(magnitudes.max())
        return math.ceil(math.log2(max(peak, 1e-9) / (2 ** (bits - 1) - 0.5)))

    return choose


METHODS = {
    "least squared error": least_squares,
    "one bit finer than that": lambda values, bits: least_squares(values, bits) - 1,
    "maximum": percentile(1.0),
    "99.99 %": percentile(0.9999),
    "99.9 %": percentile(0.999),
}


def train_float(data: Dataset, epochs: int, seed: int = 0) -> BinaryViT:
    """tiny-digits, never quantized."""
    config = preset("tiny-digits")
    torch.manual_seed(seed)
    model = BinaryViT(config).train()
    images = normalize(data.train_images, config.mean, config.std)
    labels = torch.from_numpy(data.train_labels)
    batches = [part for _ in range(epochs) for part in torch.randperm(len(images)).split(64) if len(part) == 64]
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=2e-3, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=len(batches))
    for batch in batches:
        loss = F.cross_entropy(model(images[batch]), labels[batch], label_smoothing=0.1)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    return model.eval()


def without_scales(model: BinaryViT) -> BinaryViT:
    """The same weights in float mode."""
    model.calibrated.fill_(False)
    return model.set_mode("float")


def tensors(model: BinaryViT, images: np.ndarray) -> dict[str, Tensor]:
    """All values of every multi-bit tensor."""
    pixels = normalize(images, model.config.mean, model.config.std)
    return {name: value.flatten() for name, value in model.trace(pixels).items() if name != "logits"}


def rows(model: BinaryViT, data: Dataset, images: int) -> Iterator[dict[str, object]]:
    """One result for each way to choose."""
    reference = model_logits(model, data.test_images)
    step = max(1, len(data.train_images) // images)
    values = tensors(model, data.train_images[::step][:images])
    for name, choose in METHODS.items():
        for tensor, quantizer in model.act_quantizers().items():
            quantizer.exponent = choose(values[tensor], quantizer.bits)
        model.calibrated.fill_(True)
        model.set_mode("quant")
        quantized = agreement(model_logits(model, data.test_images), reference, data.test_labels)
        frozen = agreement(frozen_logits(freeze(model), data.test_images), reference, data.test_labels)
        yield {
            "scales": name,
            "float_accuracy": float((reference.argmax(axis=1) == data.test_labels).mean()),
            "quantized": vars(quantized),
            "frozen": vars(frozen),
        }
        without_scales(model)


@click.command()
@click.option("--checkpoint", type=click.Path(path_type=Path), help="Instead of training one.")
@click.option("--epochs", default=15, show_default=True)
@click.option("--images", default=256, show_default=True, help="That choose the scales.")
def main(checkpoint: Path | None, epochs: int, images: int) -> None:
    """Compare ways to choose scales after training."""
    torch.set_num_threads(1)
    data = load_dataset("digits")
    model = without_scales(load_checkpoint(checkpoint)) if checkpoint else train_float(data, epochs)
    click.echo(json.dumps({"processor": processor(), "torch": torch.__version__, "images": images}))
    for row in rows(model, data, images):
        click.echo(json.dumps(row))


if __name__ == "__main__":
    main()
