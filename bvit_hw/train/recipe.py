"""What a training run is: dataset, network, hyper-parameters; by name."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bvit_hw.data.augment import Augmentation
from bvit_hw.data.sources import parse_data
from bvit_hw.errors import ConfigError
from bvit_hw.models import PRESETS, BinaryViTConfig
from bvit_hw.models.network_toml import NetworkDescription
from bvit_hw.models.presets import preset_network

Fraction = Annotated[float, Field(ge=0, le=1)]
Precision = Literal["32", "bf16-mixed"]
Gradients = Literal["32", "bf16"]


class Recipe(BaseModel):
    """A training run, complete: equal recipes on one machine, with equally many processes, give equal checkpoints.

    The first ``epochs - quant_epochs`` epochs train with the residual stream in floating point, then the activation
    exponents are calibrated on training images and fixed, and the rest trains as it will be frozen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: what ``--data`` says (bvit_hw.data.sources)
    dataset: str
    model: BinaryViTConfig
    epochs: Annotated[int, Field(ge=1)]
    quant_epochs: Annotated[int, Field(ge=0)] = 0
    #: images of one process in one pass; a step's gradient is of batch_size * accumulate * processes images
    batch_size: Annotated[int, Field(ge=2)] = 64
    accumulate: Annotated[int, Field(ge=1)] = 1
    #: peak of the cosine, for a step of ``lr_batch`` images (0: whatever the step)
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    lr_batch: Annotated[int, Field(ge=0)] = 0
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    label_smoothing: Fraction = 0.1
    #: a checkpoint of ours, a weights file of DeiT-S, ``deit-small`` (timm's hub), or None: labels
    teacher: str | None = None
    #: the teacher's part in the loss, the rest being the labels'; its softmax is taken at ``temperature``
    teacher_share: Fraction = 1.0
    temperature: Annotated[float, Field(gt=0)] = 1.0
    augmentation: Augmentation = "affine"
    #: random operations of RandAugment before the augmentation
    rand_augment: Annotated[int, Field(ge=0, le=8)] = 0
    #: side in pixels of the square that cutout blanks; 0: none
    cutout: Annotated[int, Field(ge=0)] = 0
    #: alpha of mixup's Beta distribution; 0: pictures stay apart
    mixup: Annotated[float, Field(ge=0, le=8)] = 0.0
    max_shift: Fraction = 0.08
    max_degrees: Annotated[float, Field(ge=0, le=180)] = 12.0
    max_scale: Fraction = 0.1
    #: training images that calibration looks at; 0: all
    calibration_images: Annotated[int, Field(ge=0)] = 0
    precision: Precision = "32"
    #: torch.compile the blocks; None: on GPUs, where they are bound by memory and Inductor fuses their passes
    compile: bool | None = False
    #: fuse what stands between products where blocks are not compiled; None: on GPUs
    fuse: bool | None = None
    #: what gradients are rounded to where they are multiplied, with ``fuse`` on a CPU; None: to bfloat16 on processors
    #: that multiply such numbers
    gradients: Gradients | None = "32"
    #: CPU threads of one process, which sums depend on; None: PyTorch's choice. The digits' tensors are so small that
    #: more than one mostly wait for each other
    threads: Annotated[int, Field(ge=1)] | None = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        if self.quant_epochs >= self.epochs:
            raise ValueError(f"quant_epochs={self.quant_epochs} must be below epochs={self.epochs}")
        return self

    def changed(self, **values: Any) -> Recipe:
        """This recipe with other values, checked again; mistakes raise :class:`ConfigError`."""
        try:
            return Recipe.model_validate({**self.model_dump(), **values})
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, e['loc'])) or 'run'}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
            raise ConfigError("training recipe: " + "; ".join(lines)) from error

    def peak_rate(self, step_images: int) -> float:
        """Peak learning rate of a run whose steps are of ``step_images`` images over all processes."""
        return self.learning_rate * (step_images / self.lr_batch if self.lr_batch else 1.0)

    def differences(self, other: dict[str, Any]) -> list[str]:
        """Fields, ``name: other's -> ours``, in which a dumped recipe is another one; a dataset may have moved."""
        fields = {name: field.default for name, field in type(self).model_fields.items() if not field.is_required()}
        mine, theirs = self.model_dump(mode="json"), {**fields, **other}
        for dump in (mine, theirs):
            dump["dataset"] = _kind(dump.get("dataset"))
        names = mine.keys() | theirs.keys()
        return [f"{n}: {theirs.get(n)} -> {mine.get(n)}" for n in sorted(names) if mine.get(n) != theirs.get(n)]


def _kind(dataset: object) -> str:
    try:
        return parse_data(str(dataset))[0]
    except ConfigError:
        return "tree"


#: what the named recipes say; dataset and network come from the preset or the command line
RECIPES: dict[str, dict[str, Any]] = {
    "digits": {"epochs": 100, "quant_epochs": 30},
    "cifar": {
        "epochs": 200,
        "quant_epochs": 40,
        "batch_size": 128,
        "augmentation": "crop-flip",
        "calibration_images": 4096,
        "compile": None,
        "fuse": True,
        "gradients": None,
        "threads": None,
    },
    "paper": {
        "epochs": 300,
        "quant_epochs": 0,
        "batch_size": 64,
        "learning_rate": 5e-4,
        "lr_batch": 512,
        "label_smoothing": 0.0,
        "augmentation": "paper",
        "calibration_images": 4096,
        "compile": None,
        "threads": None,
    },
    "pictures": {
        "epochs": 200,
        "quant_epochs": 30,
        "batch_size": 512,
        "learning_rate": 3e-3,
        "augmentation": "crop-flip",
        "calibration_images": 4096,
        "fuse": True,
        "gradients": None,
        "threads": None,
    },
}

#: side of pictures up to which a network is trained as those for small pictures are, where it does not say how
_SMALL = 64


def training_recipe(
    network: str | NetworkDescription,
    *,
    recipe: str | None = None,
    data: str | None = None,
    classes: int | None = None,
    **changes: Any,
) -> Recipe:
    """The run of ``network``, or of the preset so called, by the named ``recipe``, or its own, on ``data``, or its own.

    ``classes`` is what the data have, where the network is to follow. ``changes`` are fields of :class:`Recipe`; with
    ``epochs`` alone the quantized part keeps its share. Raises :class:`ConfigError` for mistakes.
    """
    if isinstance(network, NetworkDescription):
        base = _run_of(network, f"network {network.name}", recipe, data)
    elif network in _RUNS:
        base = _RUNS[network]
    elif network in PRESETS:
        base = _run_of(preset_network(network), f"preset {network}", recipe, data)
    else:
        raise ConfigError(f"training preset {network!r} is unknown; allowed: {', '.join((*PRESETS, *_RUNS))}")
    changes = {key: value for key, value in changes.items() if value is not None}
    if data is not None:
        changes["dataset"] = data
    if classes is not None and classes != base.model.classes:
        changes["model"] = base.model.model_copy(update={"classes": classes})
    epochs = changes.get("epochs", base.epochs)
    if "quant_epochs" not in changes and base.quant_epochs and epochs != base.epochs:
        if epochs < 2:
            raise ConfigError(f"--epochs {epochs}: at least 2 are needed, one in floating point and one quantized")
        changes["quant_epochs"] = min(max(1, round(base.quant_epochs * epochs / base.epochs)), epochs - 1)
    return base.changed(**changes)


def _run_of(network: NetworkDescription, called: str, recipe: str | None, data: str | None) -> Recipe:
    dataset = data or network.data
    if dataset is None:
        raise ConfigError(f"{called} has no dataset of its own: --data cifar10=DIR, mnist=DIR, DIR, FILE.npz, ...")
    chosen = recipe or network.recipe or ("pictures" if network.config.image_size <= _SMALL else "paper")
    if chosen not in RECIPES:
        raise ConfigError(
            f"{'' if recipe else f'{called}: '}recipe {chosen!r} is unknown; allowed: {', '.join(RECIPES)}"
        )
    return Recipe.model_validate({"dataset": dataset, "model": network.config, **RECIPES[chosen]})


#: complete runs by further names
_RUNS: dict[str, Recipe] = {}
