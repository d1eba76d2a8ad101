"""Every size of a BinaryViT, and the rows of its ablation, as one immutable configuration."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from bvit_hw.errors import ConfigError

Positive = Annotated[int, Field(ge=1)]
Sizes = Annotated[tuple[Positive, ...], Field(min_length=1)]
#: widths of multi-bit tensors that freezing can keep exact in 24-bit sums
Bits = Annotated[int, Field(ge=2, le=12)]


class BinaryViTConfig(BaseModel):
    """Sizes and variant of a network; tuples have one entry a stage (a plain ViT is one stage).

    The published pyramid is ``class_token=False, stem_norm=True, pool_branches=True, affine=True``. Token grids are
    square: stage s has a side of ``image_size / patch_size / 2**s``. An illegal combination raises
    :class:`ConfigError` from :meth:`create` (pydantic's ValidationError from the constructor).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    image_size: Positive
    in_channels: Positive = 3
    patch_size: Positive = 4
    channels: Sizes
    depths: Sizes
    heads: Sizes
    mlp_widths: Sizes
    reductions: Sizes
    classes: Positive

    full_precision_merges: bool = False
    #: real weights, activations and attention throughout: a teacher of the same kind, which is trained but never frozen
    full_precision: bool = False
    stem_norm: bool = True
    class_token: bool = False
    pool_branches: bool = True
    affine: bool = True

    act_bits: Bits = 8
    residual_bits: Bits = 8
    weight_bits: Bits = 8
    table_bits: Annotated[int, Field(ge=4, le=15)] = 15

    #: pixel normalization, one value an image channel (0.5 unless given): (pixel / 255 - mean) / std
    mean: tuple[Annotated[float, Field(ge=-10, le=10)], ...] = (0.5, 0.5, 0.5)
    std: tuple[Annotated[float, Field(ge=1e-3, le=1e3)], ...] = (0.5, 0.5, 0.5)

    @model_validator(mode="before")
    @classmethod
    def _grey_is_like_colour(cls, values: dict[str, Any]) -> dict[str, Any]:
        return {"mean": (0.5,), "std": (0.5,)} | values if values.get("in_channels") == 1 else values

    @model_validator(mode="after")
    def _sizes_fit(self) -> Self:
        stages = len(self.channels)
        for name in ("depths", "heads", "mlp_widths", "reductions"):
            given = getattr(self, name)
            if len(given) != stages:
                raise ValueError(f"{name}={given} has {len(given)} entries; channels={self.channels} asks for {stages}")
        for name in ("mean", "std"):
            if len(getattr(self, name)) != self.in_channels:
                raise ValueError(f"{name}={getattr(self, name)} must have in_channels={self.in_channels} entries")
        unit = self.patch_size * 2 ** (stages - 1)
        if self.image_size % unit:
            raise ValueError(f"image_size={self.image_size} must be a multiple of {unit} (patch and stages)")
        for s, c in enumerate(self.channels):
            if c % self.heads[s]:
                raise ValueError(f"stage {s}: heads={self.heads[s]} does not divide channels={c}")
            if self.mlp_widths[s] % c:
                raise ValueError(f"stage {s}: mlp_widths={self.mlp_widths[s]} is no multiple of channels={c}")
            if self.side(s) % self.reductions[s]:
                raise ValueError(f"stage {s}: reductions={self.reductions[s]} does not divide the side {self.side(s)}")
            if s and c % self.channels[s - 1]:
                raise ValueError(f"stage {s}: channels={c} is no multiple of the stage before, {self.channels[s - 1]}")
        if self.class_token and (stages > 1 or self.pool_branches or self.reductions != (1,)):
            raise ValueError("class_token needs a single stage without pool_branches and with reductions=(1,)")
        return self

    @classmethod
    def create(cls, **values: Any) -> Self:
        """Build a configuration from keyword values, reporting mistakes as :class:`ConfigError`."""
        try:
            return cls(**values)
        except ValidationError as error:
            lines = [
                f"{'.'.join(map(str, e['loc'])) or 'network'}: {e['msg'].removeprefix('Value error, ')}"
                for e in error.errors()
            ]
            raise ConfigError("BinaryViT configuration: " + "; ".join(lines)) from error

    @property
    def stages(self) -> int:
        """Number of stages."""
        return len(self.channels)

    def side(self, stage: int) -> int:
        """Side of a stage's square token grid."""
        return (self.image_size // self.patch_size) >> stage

    def tokens(self, stage: int) -> int:
        """Tokens of a stage, the class token included."""
        return self.side(stage) ** 2 + self.class_token

    def head_dim(self, stage: int) -> int:
        """Channels of one head."""
        return self.channels[stage] // self.heads[stage]

    @property
    def block_stages(self) -> tuple[int, ...]:
        """The stage of each block, by its global index."""
        return tuple(s for s, depth in enumerate(self.depths) for _ in range(depth))
