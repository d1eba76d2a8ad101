"""`bvit-hw run`: classify pictures on a build's accelerator, simulated or on the board that this runs on."""

from __future__ import annotations

from pathlib import Path

import click

from bvit_hw.cli.words import Command
from bvit_hw.errors import BvitError


class DeviceFailure(BvitError):
    """The device, simulated or not, could not be used; the driver's own words."""


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
def run_command(build: Path | None, device: str, images: Path, batch: int | None, programme: Path | None) -> None:
    """Classify pictures; print classes, frames/s and device cycles.

    sim: the Verilated accelerator of the build, in this process, by the board's own driver, without the pynq library.
    board: the FPGA of the board that this command runs on; from another computer: `bvit-hw deploy`, then on the board
    `python3 -m bvit_hw_runtime run --images DIR`.
    """
    from bvit_hw.runtime import command, devices
    from bvit_hw.runtime.errors import DeviceError

    folder = build or Path("build") / "pynq-z2"
    package = folder / "package"
    if not (package / "model.json").is_file():
        raise DeviceFailure(f"{folder}: holds no finished build (no package/model.json); run bvit-hw build first")
    if device == "sim" and not (package / "sim").is_dir():
        raise DeviceFailure(f"{package}: built without a simulated device; add --simulated-device to bvit-hw build")
    bitstream = None
    if device == "board":
        # Vivado's results may lie in the step's own folder, or in the package where Vivado was run by hand.
        built = [f / n for f in (folder / "bitstream", package) for n in (devices.BITSTREAM, devices.XCLBIN)]
        bitstream = next((file for file in built if file.is_file()), None)
    try:
        result = command.run_command(package, device, images, batch, bitstream, programme)
    except (DeviceError, ValueError) as error:
        raise DeviceFailure(str(error)) from error
    for line in result.lines():
        click.echo(line)
