"""`bvit-hw run`: classify pictures on a build's accelerator, simulated or on the board that this runs on."""

from __future__ import annotations

import json
from pathlib import Path

import click

from bvit_hw import api
from bvit_hw.api.builds import DEFAULT_FOLDER
from bvit_hw.cli.words import Command


@click.command("run", cls=Command)
@click.option("--build", "build", type=click.Path(path_type=Path), help="A build's folder (default build/pynq-z2).")
@click.option("--device", type=click.Choice(["sim", "board"]), default="sim", show_default=True)
@click.option(
    "--images",
    required=True,
    type=click.Path(path_type=Path),
    help="A folder of pictures (or of classes' folders), one picture, or an .npz with images (and labels).",
)
@click.option("--batch", type=click.IntRange(min=1), help="Images a transfer (default: as many as fit 1 MiB).")
@click.option(
    "--programme", type=click.Path(path_type=Path), help="Another network for a single engine, by `bvit-hw compile`."
)
@click.option("--json", "as_json", is_flag=True, help="The result as JSON: every logit, cycles, clock.")
def run_command(
    build: Path | None, device: str, images: Path, batch: int | None, programme: Path | None, as_json: bool
) -> None:
    """Classify pictures; print classes, frames/s and device cycles.

    sim: the Verilated accelerator of the build, in this process, by the board's own driver, without the pynq library.
    board: the FPGA of the board that this command runs on; from another computer: `bvit-hw deploy`, then on the board
    `python3 -m bvit_hw_runtime run --images DIR`.
    """
    result = api.run(build or DEFAULT_FOLDER, images, device=device, batch=batch, programme=programme)
    if as_json:
        click.echo(json.dumps(result.as_json(), indent=1))
        return
    for line in result.lines():
        click.echo(line)
