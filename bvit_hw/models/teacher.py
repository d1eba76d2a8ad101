"""The teacher of the paper's recipe: DeiT-S in full precision, from timm."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from bvit_hw.errors import CheckpointError, ConfigError
from bvit_hw.models.torch_file import bad_values, misfits, read_state

#: timm's name of the architecture that the paper distils from, and of its published ImageNet-1k weights
TEACHER = "deit_small_patch16_224"
_PRETRAINED = f"{TEACHER}.fb_in1k"


def teacher_network(classes: int = 1000, image_size: int = 224, *, pretrained: bool = False) -> nn.Module:
    """DeiT-S/16 with random weights, or with the published ones out of timm's hub or its cache.

    Images B x 3 x ``image_size`` x ``image_size``, normalized with ImageNet's mean and deviation, to logits
    B x ``classes``. Raises :class:`ConfigError` where timm is not installed or the sizes do not fit,
    :class:`CheckpointError` where the hub cannot be reached.
    """
    if image_size % 16 or image_size <= 0:
        raise ConfigError(f"teacher {TEACHER}: image_size={image_size} must be a multiple of its patch size, 16")
    try:
        import timm
    except ImportError as error:
        raise ConfigError("the teacher needs timm, which is not installed: pip install 'bvit-hw[train]'") from error
    name = _PRETRAINED if pretrained else TEACHER
    hub_log = logging.getLogger("timm.models._builder")
    before = hub_log.level
    hub_log.setLevel(logging.WARNING)
    try:
        return timm.create_model(name, pretrained=pretrained, num_classes=classes, img_size=image_size)
    except (OSError, RuntimeError, ValueError) as error:
        if not pretrained:
            raise
        raise CheckpointError(
            f"teacher {name} cannot be downloaded: {str(error).splitlines()[0]}. "
            "Without a network, give a local weights file (safetensors, or .pth with or without an entry 'model')"
        ) from error
    finally:
        hub_log.setLevel(before)


def load_teacher(
    weights: Path | str | None = None, *, download: bool = False, classes: int = 1000, image_size: int = 224
) -> nn.Module:
    """The trained teacher in eval mode, without gradients, from a local file or, only if ``download``, timm's hub.

    The file, safetensors or what ``torch.save`` wrote (with or without an outer ``model`` entry), must fit tensor by
    tensor: :class:`CheckpointError` names everything that does not. Neither or both sources raise :class:`ConfigError`.
    """
    if (weights is None) != download:
        given = "neither" if weights is None else "both"
        raise ConfigError(
            f"teacher: {given} of a weights file and the download given; name one file, or ask for the download "
            "(nothing is fetched unless asked for)"
        )
    if weights is None:
        return _without_gradients(teacher_network(classes, image_size, pretrained=True))
    state = read_state(weights)
    model = teacher_network(classes, image_size)
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wrong = misfits({name: tuple(tensor.shape) for name, tensor in state.items()}, expected) or bad_values(state)
    if wrong:
        raise CheckpointError(f"{weights} does not fit the teacher {TEACHER}:\n  " + "\n  ".join(wrong))
    model.load_state_dict(state, strict=False)  # misfits were told above
    return _without_gradients(model)


@dataclass(frozen=True)
class TimmTeacher:
    """One of timm's networks, by name, with weights in a file: pictures B x ``channels`` x side x side to logits.

    ``mean`` and ``std`` are those of the pixels (0..1) that it was trained with.
    """

    network: str
    weights: Path
    classes: int
    image_size: int
    channels: int
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def metadata(self) -> str:
        """What :meth:`read` reads, for a file's metadata under ``timm_teacher``."""
        return json.dumps({k: v for k, v in asdict(self).items() if k != "weights"})

    @classmethod
    def read(cls, text: str, weights: Path) -> TimmTeacher:
        """The teacher that a file says it holds; anything else raises :class:`CheckpointError`."""
        try:
            said = json.loads(text)
            said["mean"], said["std"] = tuple(map(float, said["mean"])), tuple(map(float, said["std"]))
            return cls(weights=weights, **said)
        except (ValueError, KeyError, TypeError) as error:
            raise CheckpointError(f"{weights}: its note on the teacher cannot be read: {error}") from error

    def create(self) -> nn.Module:
        """The network with random weights; a name that timm does not know raises :class:`ConfigError`."""
        try:
            import timm
        except ImportError as error:
            raise ConfigError("the teacher needs timm, which is not installed: pip install 'bvit-hw[train]'") from error
        if not timm.is_model(self.network):
            near = ", ".join(timm.list_models(f"*{self.network[:6]}*")[:8])
            raise ConfigError(f"teacher {self.network}: timm has no such network; near: {near or 'none'}")
        return timm.create_model(self.network, pretrained=False, num_classes=self.classes, in_chans=self.channels)


def load_timm(teacher: TimmTeacher) -> nn.Module:
    """``teacher`` with its weights, in eval mode, without gradients; a misfit raises :class:`CheckpointError`."""
    state = read_state(teacher.weights)
    model = teacher.create()
    expected = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    wrong = misfits({name: tuple(tensor.shape) for name, tensor in state.items()}, expected) or bad_values(state)
    if wrong:
        raise CheckpointError(f"{teacher.weights} does not fit timm's {teacher.network}:\n  " + "\n  ".join(wrong))
    model.load_state_dict(state, strict=False)  # misfits were told above
    return _without_gradients(model)


def _without_gradients(model: nn.Module) -> nn.Module:
    return model.eval().requires_grad_(False)
