"""`bvit-hw export`: a checkpoint frozen and written as QONNX, or in the operators of ONNX alone."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw import api
from bvit_hw.cli.words import Command, OutputFile


@click.command("export", cls=Command)
@click.argument("checkpoint", type=click.Path(path_type=Path), required=False)
@click.option("-o", "--out", type=OutputFile(), required=True, help="The .onnx file to write.")
@click.option(
    "--calibrate", "source", metavar="DIR|DATA", help="Images to choose fixed-point scales with, where it has none."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["qonnx", "onnx"]),
    default="qonnx",
    show_default=True,
    help="qonnx: what the hardware is made of. onnx: standard operators only, for onnxruntime; any number of images.",
)
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def export_command(checkpoint: Path | None, out: Path, source: str | None, form: str, overwrite: bool) -> None:
    """Write CHECKPOINT (default: the shipped one), frozen into integers, as an ONNX file (docs/qonnx.md).

    CHECKPOINT may be frozen already: the file of `bvit-hw freeze`.
    """
    done = api.export(api.load(checkpoint), out, form=form, calibrate=source, overwrite=overwrite)
    if done.calibration is not None:
        click.echo("\n".join(done.calibration.lines()))
    click.echo(f"{done.path}: {done.nodes} nodes, {done.bytes:,} bytes")
