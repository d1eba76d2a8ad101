"""What a training run is: dataset, network, hyper-parameters; by name."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from bvit_hw.errors import ConfigError
from bvit_hw.models import BinaryViTConfig, preset

Fraction = Annotated[float, Field(ge=0, le=1)]


class Recipe(BaseModel):
    """A training run, complete: equal recipes on one machine give equal checkpoints.

    The first ``epochs - quant_epochs`` epochs train with the residual stream in floating point, then the activation
    exponents are calibrated on training images and fixed, and the rest trains as it will be frozen.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    dataset: str
    model: BinaryViTConfig
    epochs: Annotated[int, Field(ge=2)]
    quant_epochs: Annotated[int, Field(ge=1)]
    batch_size: Annotated[int, Field(ge=2)] = 64
    learning_rate: Annotated[float, Field(gt=0)] = 2e-3
    label_smoothing: Fraction = 0.1
    max_shift: Fraction = 0.08
    max_degrees: Annotated[float, Field(ge=0, le=180)] = 12.0
    max_scale: Fraction = 0.1
    #: one thread: the tensors are small, more threads mostly wait for each other, and sums depend on their number
    threads: Annotated[int, Field(ge=1)] = 1
    seed: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _phases_fit(self) -> Self:
        if self.quant_epochs >= self.epochs:
            raise ValueError(f"quant_epochs={self.quant_epochs} must be below epochs={self.epochs}")
        return self


def training_recipe(name: str, *, epochs: int | None = None, seed: int = 0) -> Recipe:
    """The recipe of a training preset, its length scaled to ``epochs``; raises :class:`ConfigError` for mistakes."""
    if name not in _RECIPES:
        raise ConfigError(f"training preset {name!r} is unknown; allowed: {', '.join(_RECIPES)}")
    recipe = _RECIPES[name]
    if epochs is not None:
        if epochs < 2:
            raise ConfigError(f"--epochs {epochs}: at least 2 are needed, one in floating point and one quantized")
        quant = min(max(1, round(recipe.quant_epochs * epochs / recipe.epochs)), epochs - 1)
        recipe = recipe.model_copy(update={"epochs": epochs, "quant_epochs": quant})
    return recipe.model_copy(update={"seed": seed})


_RECIPES = {
    "tiny-digits": Recipe(dataset="digits", model=preset("tiny-digits"), epochs=100, quant_epochs=30),
}
