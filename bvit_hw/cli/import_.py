"""`bvit-hw import`: a checkpoint of the paper's published code becomes one of ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from bvit_hw import api
from bvit_hw.cli.words import Command, OutputFile

if TYPE_CHECKING:
    from bvit_hw.models import BinaryViTConfig


class NumberList(click.ParamType[tuple[int, ...]]):
    """Whole numbers above 0 with commas between, one a stage."""

    name = "N,N,…"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:  # fmt: skip
        if isinstance(value, tuple):
            return value
        try:
            numbers = tuple(int(part) for part in str(value).split(","))
        except ValueError:
            numbers = ()
        if not numbers or min(numbers) < 1:
            self.fail(f"{value!r} is no list of whole numbers above 0, one a stage, such as 8,4,1,1", param, ctx)
        return numbers


class FractionList(click.ParamType[tuple[float, ...]]):
    """Decimal numbers with commas between, one an image channel."""

    name = "X,X,X"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[float, ...]:  # fmt: skip
        if isinstance(value, tuple):
            return value
        try:
            return tuple(float(part) for part in str(value).split(","))
        except ValueError:
            self.fail(f"{value!r} is no list of numbers, one an image channel, such as 0.5,0.5,0.5", param, ctx)


def _describe(config: BinaryViTConfig, assumed: list[str]) -> list[str]:
    """What was found, in words; ``assumed`` are the options that shapes cannot show and nobody gave."""
    parts = [name for name, there in (
        ("class token", config.class_token), ("pool branches", config.pool_branches), ("affines", config.affine),
        ("full-precision patch merges", config.full_precision_merges), ("norm in the stem", config.stem_norm),
    ) if there]  # fmt: skip

    def numbers(values: tuple[int, ...]) -> str:
        return ",".join(map(str, values))

    lines = [
        f"image {config.image_size} x {config.image_size} x {config.in_channels}, patch {config.patch_size}, "
        f"{config.classes} classes; {', '.join(parts) or 'none of the optional parts'}",
        f"channels {numbers(config.channels)}, blocks {numbers(config.depths)}, "
        f"MLP widths {numbers(config.mlp_widths)}",
        f"heads {numbers(config.heads)}, key/value pooling {numbers(config.reductions)}",
    ]
    if assumed:
        lines.append(f"not visible in the tensors and taken as in the paper: {', '.join(assumed)}; give them if not so")
    return lines


@click.command("import", cls=Command)
@click.argument("paper", type=click.Path(path_type=Path))
@click.option("-o", "--out", type=OutputFile(), required=True, help="The file to write (.safetensors).")
@click.option("--heads", type=NumberList(), help="Attention heads of each stage; default: the paper's 1,2,4,8.")
@click.option(
    "--reduction", type=NumberList(), help="Key/value pooling of each stage, 1 for none; default: the paper's 8,4,1,1."
)
@click.option("--depths", type=NumberList(), help="Blocks of each stage; only where the channels do not tell.")
@click.option("--mean", type=FractionList(), help="Pixel mean it was trained with; default: ImageNet's.")
@click.option("--std", type=FractionList(), help="Pixel deviation it was trained with; default: ImageNet's.")
@click.option("--act-bits", type=click.IntRange(2, 12), default=8, show_default=True, help="Width of activations.")
@click.option(
    "--residual-bits", type=click.IntRange(2, 12), default=8, show_default=True, help="Width of the residual stream."
)
@click.option(
    "--weight-bits", type=click.IntRange(2, 12), default=8, show_default=True, help="Width of stem and classifier."
)
@click.option(
    "--calibrate",
    "source",
    metavar="DIR|DATA",
    help="Choose the fixed-point scales from a folder of pictures or a dataset.",
)
@click.option(
    "--calibration-images",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    help="How many.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def import_command(
    paper: Path,
    out: Path,
    heads: tuple[int, ...] | None,
    reduction: tuple[int, ...] | None,
    depths: tuple[int, ...] | None,
    mean: tuple[float, ...] | None,
    std: tuple[float, ...] | None,
    act_bits: int,
    residual_bits: int,
    weight_bits: int,
    source: str | None,
    calibration_images: int | None,
    overwrite: bool,
) -> None:
    """Import PAPER, a checkpoint of the published BinaryViT code (.pth, with or without its entry `model`).

    Sizes and variant are read off the tensors; every tensor that does not fit is named. No code in the file is run.
    """
    done = api.import_checkpoint(
        paper,
        out,
        heads=heads,
        reduction=reduction,
        depths=depths,
        mean=mean,
        std=std,
        act_bits=act_bits,
        residual_bits=residual_bits,
        weight_bits=weight_bits,
        calibrate=source,
        calibration_images=calibration_images,
        overwrite=overwrite,
    )
    lines = [] if done.calibration is None else done.calibration.lines()
    for line in [*_describe(done.network.config, [f"--{name}" for name in done.assumed]), *lines]:
        click.echo(line)
    if source is None:
        click.echo("no fixed-point scales yet: --calibrate here, or later where it is frozen or built")
    click.echo(f"checkpoint: {out}")
