"""Accuracy of one checkpoint as QAT model, frozen model and QONNX graph, on the same images."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import torch

from bvit_hw.contract import FrozenGraph
from bvit_hw.data import normalize
from bvit_hw.errors import ConfigError, DatasetError
from bvit_hw.inductor import missing_for_gpu
from bvit_hw.models import BinaryViT, BinaryViTConfig
from bvit_hw.network_file import config_of

#: what can be evaluated, in the order of the table
FORMS = ("qat", "frozen", "qonnx")
_TOP = 5
#: side of images from which a GPU runs generated kernels
_FUSED_SIDE = 128
#: images at once there: with fewer the host takes longer to start the kernels than the GPU to run them
_FUSED_BATCH = 512

Batch = tuple[np.ndarray, np.ndarray]
Logits = Callable[[np.ndarray], np.ndarray]
Network = BinaryViT | FrozenGraph


@dataclass(frozen=True, kw_only=True)
class Score:
    """One line of the table: fractions of ``images`` images; ``seconds`` of execution alone."""

    form: str
    engine: str
    images: int
    top1: float
    top5: float
    seconds: float

    @property
    def images_per_second(self) -> float:
        return self.images / self.seconds if self.seconds else 0.0


def ranks(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Place of each label among its image's logits (N x classes), 0 the highest; equal logits in order of label."""
    own = logits[np.arange(len(labels)), labels][:, None]
    lower = np.arange(logits.shape[1])[None, :] < labels[:, None]
    place: np.ndarray = ((logits > own) | ((logits == own) & lower)).sum(axis=1)
    return place


def qonnx_batch(image_size: int) -> int:
    """Images at once in qonnx: its cost is per node, but it keeps every tensor, 4 GB for one image of 224 x 224."""
    return max(1, 64 * 32**2 // image_size**2)


def _config(network: Network) -> BinaryViTConfig:
    return config_of(network.config, "") if isinstance(network, FrozenGraph) else network.config


def _qat(network: Network, device: torch.device) -> tuple[str, Logits]:
    if isinstance(network, FrozenGraph):
        raise ConfigError("form 'qat': the network is frozen, its QAT model is in the checkpoint it was frozen from")
    model = network.to(device).eval()

    @torch.no_grad()
    def logits(images: np.ndarray) -> np.ndarray:
        pixels = normalize(images, model.config.mean, model.config.std).to(device)
        result: np.ndarray = model(pixels).float().cpu().numpy()
        return result

    return f"PyTorch, {model.mode} activations, {device}", logits


def _fuses(config: BinaryViTConfig, device: torch.device) -> bool:
    """Whether the frozen model is compiled: a minute, which pictures of a few thousand pixels do not pay back."""
    return device.type == "cuda" and config.image_size >= _FUSED_SIDE and not missing_for_gpu(device)


def _images_at_once(form: str, config: BinaryViTConfig, device: torch.device, wanted: int) -> int:
    if form == "qonnx":
        return qonnx_batch(config.image_size)
    return max(wanted, _FUSED_BATCH) if form == "frozen" and _fuses(config, device) else wanted


def _graph(network: Network) -> FrozenGraph:
    from bvit_hw.freeze import freeze

    return network if isinstance(network, FrozenGraph) else freeze(network)


def _frozen(network: Network, device: torch.device) -> tuple[str, Logits]:
    from bvit_hw.execute.frozen import FrozenBinaryViT
    from bvit_hw.execute.fused import FusedBinaryViT
    from bvit_hw.execute.packed import PackedBinaryViT

    graph = _graph(network)
    if device.type == "cpu":
        return "packed bits, cpu", PackedBinaryViT(graph).logits
    config = _config(network)
    fused = _fuses(config, device)
    frozen = (FusedBinaryViT if fused else FrozenBinaryViT)(graph).to(device)
    if fused:
        shape = (32, config.image_size, config.image_size, config.in_channels)
        frozen(torch.zeros(shape, dtype=torch.uint8, device=device))  # compiles, for any number of images

    def logits(images: np.ndarray) -> np.ndarray:
        result: np.ndarray = frozen(torch.from_numpy(images).to(device)).cpu().numpy()
        return result

    return f"PyTorch, integers{', fused' * fused}, {device}", logits


def _qonnx(network: Network, device: torch.device) -> tuple[str, Logits]:
    from bvit_hw.qonnx import execute_qonnx, to_qonnx

    exported = to_qonnx(_graph(network))

    def logits(images: np.ndarray) -> np.ndarray:
        return execute_qonnx(exported, images, batch_size=len(images))["logits"].reshape(len(images), -1)

    return "qonnx, cpu", logits


def evaluate(
    network: Network,
    batches: Callable[[int], Iterable[Batch]],
    forms: Iterable[str] = FORMS,
    *,
    batch_size: int = 32,
    device: str = "cpu",
    advance: Callable[[str, int], None] = lambda form, images: None,
) -> list[Score]:
    """Accuracy of each of ``forms`` on the images that ``batches(batch_size)`` yields anew for each.

    A frozen network has no form ``qat``. ``advance`` is told of every batch done. Raises ConfigError for an unknown
    form, FreezeError where the model cannot be frozen (a float residual stream that was never calibrated).
    """
    makers = {"qat": _qat, "frozen": _frozen, "qonnx": _qonnx}
    scores = []
    for form in forms:
        if form not in makers:
            raise ConfigError(f"form {form!r} is unknown; allowed: {', '.join(FORMS)}")
        target = torch.device(device)
        engine, logits = makers[form](network, target)
        ranked, seconds = [], 0.0
        for images, labels in batches(_images_at_once(form, _config(network), target, batch_size)):
            start = time.monotonic()
            found = logits(images)
            seconds += time.monotonic() - start
            ranked.append(ranks(found, labels))
            advance(form, len(labels))
        rank = np.concatenate(ranked) if ranked else np.zeros(0, dtype=np.int64)
        if not len(rank):
            raise DatasetError("no images to evaluate on")
        scores.append(
            Score(
                form=form,
                engine=engine,
                images=len(rank),
                top1=float(np.mean(rank == 0)),
                top5=float(np.mean(rank < _TOP)),
                seconds=seconds,
            )
        )
    return scores
