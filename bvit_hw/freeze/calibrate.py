"""Post-training calibration: a float-residual model gets the power-of-two scales of its multi-bit tensors.

Nothing else of the model changes: weights and BatchNorm statistics stay as they were trained.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from bvit_hw.contract import FrozenGraph
from bvit_hw.errors import ConfigError
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.freeze import freeze
from bvit_hw.models.binaryvit import BinaryViT

#: of each tensor about so many values choose its exponent; more do not change it, and cost a minute at full size
_SAMPLE = 1 << 20
#: largest batch: about this many token values at the widest point of the network
_BATCH_VALUES = 1 << 24


@dataclass(frozen=True)
class Agreement:
    """How one model's logits compare with the float model's: share of equal labels, mean cosine; accuracy if known."""

    same_label: float
    cosine: float
    accuracy: float | None

    def text(self) -> str:
        """In words."""
        parts = [] if self.accuracy is None else [f"accuracy {self.accuracy:.2%}"]
        return ", ".join([*parts, f"labels as float {self.same_label:.2%}", f"cosine of logits {self.cosine:.4f}"])


@dataclass(frozen=True)
class CalibrationReport:
    """What calibration and freezing did to the outputs, measured on ``check_images`` images of ``source``."""

    source: str
    images: int
    check_images: int
    separate: bool
    float_accuracy: float | None
    quantized: Agreement
    frozen: Agreement

    def as_json(self) -> dict[str, object]:
        """All figures, JSON-ready."""
        return asdict(self)

    def lines(self) -> list[str]:
        """The report, a line each."""
        accuracy = "labels unknown" if self.float_accuracy is None else f"accuracy {self.float_accuracy:.2%}"
        others = "others than those calibrated with" if self.separate else "the same that it was calibrated with"
        return [
            f"calibrated with {self.images} images of {self.source}; measured on {self.check_images}, {others}",
            f"  before, float residual:    {accuracy}",
            f"  after, fixed-point scales: {self.quantized.text()}",
            f"  frozen, integers only:     {self.frozen.text()}",
        ]


def batch_size(model: BinaryViT) -> int:
    """Images at once that keep the largest tensors at some tens of megabytes."""
    config = model.config
    widest = max(
        config.tokens(s) * max(config.mlp_widths[s], config.heads[s] * config.tokens(s) // config.reductions[s] ** 2)
        for s in range(config.stages)
    )
    return max(1, min(256, _BATCH_VALUES // widest))


def _batches(model: BinaryViT, images: np.ndarray) -> Iterator[Tensor]:
    from bvit_hw.data import normalize

    device = model.head.classifier.weight.device
    size = batch_size(model)
    for start in range(0, len(images), size):
        yield normalize(images[start : start + size], model.config.mean, model.config.std).to(device)


@torch.no_grad()
def model_logits(model: BinaryViT, images: np.ndarray) -> np.ndarray:
    """Logits (float64, N x classes) of uint8 images N x H x W x C in the model's present mode, in eval mode."""
    training = model.training
    model.eval()
    parts = [model(batch).to("cpu", torch.float64) for batch in _batches(model, images)]
    model.train(training)
    return torch.cat(parts).numpy()


def frozen_logits(graph: FrozenGraph, images: np.ndarray, batch: int = 64) -> np.ndarray:
    """Real logits (float64, N x classes) of the frozen graph for uint8 images."""
    frozen = FrozenBinaryViT(graph)
    parts = [frozen(torch.from_numpy(images[i : i + batch])).numpy() for i in range(0, len(images), batch)]
    return np.concatenate(parts) * 2.0 ** graph.tensors[graph.output].exponent


def agreement(logits: np.ndarray, reference: np.ndarray, labels: np.ndarray | None) -> Agreement:
    """Compare ``logits`` with ``reference``, both N x classes."""
    found, wanted = logits.argmax(axis=1), reference.argmax(axis=1)
    norms = np.linalg.norm(logits, axis=1) * np.linalg.norm(reference, axis=1)
    cosine = (logits * reference).sum(axis=1) / np.maximum(norms, 1e-30)
    accuracy = None if labels is None else float((found == labels).mean())
    return Agreement(float((found == wanted).mean()), float(cosine.mean()), accuracy)


def calibrate(
    model: BinaryViT, images: np.ndarray, check_images: np.ndarray, labels: np.ndarray | None = None,
    *, source: str = "images given", separate: bool = True,
) -> CalibrationReport:  # fmt: skip
    """Choose the scales of ``model`` from uint8 ``images`` N x H x W x C, and measure what that and freezing change.

    The model is left in ``quant`` and eval mode. ``labels`` belong to ``check_images``, which should be others. Raises
    :class:`ConfigError` for a model that has its scales already, :class:`FreezeError` where its numbers do not fit.
    """
    if bool(model.calibrated):
        raise ConfigError("the model has its fixed-point scales already; calibration is for float-residual checkpoints")
    if not len(images) or not len(check_images):
        raise ConfigError(f"calibration needs images: {len(images)} to calibrate with, {len(check_images)} to measure")
    model.eval()
    reference = model_logits(model, check_images)
    batches = -(-len(images) // batch_size(model))
    model.calibrate(_batches(model, images), sample=-(-_SAMPLE // batches))
    quantized = agreement(model_logits(model, check_images), reference, labels)
    frozen = agreement(frozen_logits(freeze(model), check_images, batch_size(model)), reference, labels)
    return CalibrationReport(
        source=source, images=len(images), check_images=len(check_images), separate=separate,
        float_accuracy=None if labels is None else float((reference.argmax(axis=1) == labels).mean()),
        quantized=quantized, frozen=frozen,
    )  # fmt: skip
