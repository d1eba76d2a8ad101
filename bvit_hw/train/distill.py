"""The paper's loss: cross-entropy against a teacher's softmax, without hard labels; or plain labels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bvit_hw.errors import ConfigError
from bvit_hw.models import BinaryViTConfig, load_checkpoint
from bvit_hw.models.teacher import TimmTeacher
from bvit_hw.train.recipe import Recipe

log = logging.getLogger(__name__)

#: ``--teacher`` for timm's published DeiT-S weights
HUB_TEACHER = "deit-small"
_IMAGENET_MEAN, _IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

#: (logits B x classes, normalized images, labels B) to the mean loss
Loss = Callable[[Tensor, Tensor, Tensor], Tensor]


class Teacher(nn.Module):
    """A trained network in eval mode, without gradients, fed with images as the student's are normalized.

    Where the teacher wants pictures of another side (``size``), the student's are resized for it, bilinear.
    """

    def __init__(
        self,
        network: nn.Module,
        student: BinaryViTConfig,
        mean: tuple[float, ...],
        std: tuple[float, ...],
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.size = None if size == student.image_size else size
        ratio = torch.tensor(student.std) / torch.tensor(std)
        offset = (torch.tensor(student.mean) - torch.tensor(mean)) / torch.tensor(std)
        self.same = student.mean == tuple(mean) and student.std == tuple(std)
        self.register_buffer("ratio", ratio.view(1, -1, 1, 1))
        self.register_buffer("offset", offset.view(1, -1, 1, 1))

    @torch.no_grad()
    def forward(self, images: Tensor) -> Tensor:
        """Logits of the teacher, B x classes."""
        images = images if self.same else images * self.ratio + self.offset
        if self.size is not None:
            images = F.interpolate(images, size=(self.size, self.size), mode="bilinear", align_corners=False)
        return self.network(images)


def open_teacher(name: str, student: BinaryViTConfig, *, download: bool = False) -> Teacher:
    """The teacher that ``--teacher name`` asks for: ``deit-small`` (hub, with ``download``), weights, or a checkpoint.

    A checkpoint is one of this project's, or a timm network's as benchmarks/train_teacher.py writes it;
    ``timm:NAME@SIDE=FILE`` is any network of timm for pictures of that side (the student's without ``@SIDE``); any
    other file holds DeiT-S weights. Raises a BvitError where it is missing, damaged, or has other classes or sizes
    than ``student``.
    """
    from bvit_hw.models.teacher import load_teacher, load_timm

    timm = _timm_of(name, student)
    if timm is not None:
        return Teacher(load_timm(timm), student, timm.mean, timm.std, timm.image_size)

    path = Path(name).expanduser()
    if name == HUB_TEACHER and not path.exists():
        network = load_teacher(download=download, classes=student.classes, image_size=student.image_size)
        return Teacher(network, student, _IMAGENET_MEAN, _IMAGENET_STD)
    if _is_ours(path):
        ours = load_checkpoint(path)
        given, wanted = (ours.config.classes, ours.config.image_size), (student.classes, student.image_size)
        if given != wanted:
            raise ConfigError(
                f"teacher {path}: {given[0]} classes, images of side {given[1]}; the student has {wanted[0]} and "
                f"{wanted[1]}"
            )
        return Teacher(ours, student, ours.config.mean, ours.config.std)
    network = load_teacher(path, classes=student.classes, image_size=student.image_size)
    return Teacher(network, student, _IMAGENET_MEAN, _IMAGENET_STD)


def _timm_of(name: str, student: BinaryViTConfig) -> TimmTeacher | None:
    """What ``timm:NAME@SIDE=FILE``, or a file that says itself which of timm's networks it holds, asks for."""
    if not name.startswith("timm:"):
        said = _metadata(Path(name).expanduser()).get("timm_teacher")
        found = None if said is None else TimmTeacher.read(said, Path(name).expanduser())
    else:
        network, equals, file = name.removeprefix("timm:").partition("=")
        network, _, side = network.partition("@")
        if not (network and equals and file) or (side and not side.isdecimal()):
            raise ConfigError(f"teacher {name}: expected timm:NAME=FILE or timm:NAME@SIDE=FILE")
        size = int(side) if side else student.image_size
        path = Path(file).expanduser()
        found = TimmTeacher(network, path, student.classes, size, student.in_channels, student.mean, student.std)
    if found is not None and (found.classes, found.channels) != (student.classes, student.in_channels):
        raise ConfigError(
            f"teacher {name}: {found.classes} classes, pictures of {found.channels} channels; the student has "
            f"{student.classes} and {student.in_channels}"
        )
    return found


def _is_ours(path: Path) -> bool:
    return "bvit_hw" in _metadata(path)


def _metadata(path: Path) -> dict[str, str]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return file.metadata() or {}
    except (SafetensorError, OSError):
        return {}


def loss_of(recipe: Recipe, teacher: Teacher | None) -> Loss:
    """The loss of a recipe: against smoothed labels, against the teacher's softmax, or shares of both.

    At a temperature T both softmaxes are of logits / T, and the teacher's part is weighed by T^2, so that its gradients
    keep their size (Hinton et al., arXiv 1503.02531). Labels are classes, or shares of classes.
    """

    def by_labels(logits: Tensor, labels: Tensor) -> Tensor:
        return F.cross_entropy(logits.float(), labels, label_smoothing=recipe.label_smoothing)

    if teacher is None:
        return lambda logits, _images, labels: by_labels(logits, labels)
    heat, share = recipe.temperature, recipe.teacher_share

    def distilled(logits: Tensor, images: Tensor, labels: Tensor) -> Tensor:
        taught = (teacher(images).float() / heat).softmax(dim=-1)
        loss = F.cross_entropy(logits.float() / heat, taught)
        # Not scaled by one: the paper's loss stays what it was to the last bit.
        loss = loss if heat == 1 else loss * heat**2
        return loss if share == 1 else torch.lerp(by_labels(logits, labels), loss, share)

    return distilled
