"""`bvit-hw freeze`: a checkpoint as integers only."""

from __future__ import annotations

from pathlib import Path

import click

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
    from bvit_hw.calibration import load_ready
    from bvit_hw.contract.file import save_frozen
    from bvit_hw.freeze import freeze
    from bvit_hw.models import shipped_checkpoint
    from bvit_hw.network_file import network_info, network_name
    from bvit_hw.outputs import writable_output

    path = checkpoint or shipped_checkpoint()
    writable_output(out, path, overwrite=overwrite)
    model, report = load_ready(path, source)
    graph = freeze(model, coef_bits=coef_bits, slope_bits=slope_bits)
    calibrated = {} if report is None else {"calibration": report.as_json()}
    digest = save_frozen(graph, out, network_info(path) | calibrated, network_name(path))
    if report is not None:
        click.echo("\n".join(report.lines()))
    click.echo(f"{out}: {len(graph.nodes)} nodes, {out.stat().st_size:,} bytes, model hash {digest}")
