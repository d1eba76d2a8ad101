"""`bvit-hw freeze`: a checkpoint as integers only."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw import api
from bvit_hw.cli.words import Command, OutputFile


@click.command("freeze", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=OutputFile(), required=True, help="The file to write (.safetensors).")
@click.option(
    "--calibrate", "source", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where it has none."
)
@click.option("--coef-bits", type=click.IntRange(4, 12), default=8, show_default=True, help="Width of coefficients.")
@click.option("--slope-bits", type=click.IntRange(4, 12), default=8, show_default=True, help="Width of RPReLU slopes.")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def freeze_command(
    checkpoint: Path | None, out: Path, source: str | None, coef_bits: int, slope_bits: int, overwrite: bool
) -> None:
    """Freeze CHECKPOINT (default: the shipped one) into integers, proven exact, in one file (docs/freezing.md)."""
    from bvit_hw.errors import ConfigError
    from bvit_hw.outputs import writable_output

    network = api.load(checkpoint)
    writable_output(out, network.path, overwrite=overwrite)  # before minutes of calibration
    if network.is_frozen:
        raise ConfigError(f"{network.path}: is frozen already; build, evaluate and export take it as it is")
    frozen = api.freeze(network, calibrate=source, coef_bits=coef_bits, slope_bits=slope_bits)
    digest = frozen.save(out, overwrite=overwrite)
    if frozen.calibration is not None:
        click.echo("\n".join(frozen.calibration.lines()))
    click.echo(f"{out}: {len(frozen.graph.nodes)} nodes, {out.stat().st_size:,} bytes, model hash {digest}")
