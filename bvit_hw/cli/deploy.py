"""`bvit-hw deploy`: copy a build to a board over ssh, or load its bitstream over USB."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bvit_hw.cli.words import Command


@click.command("deploy", cls=Command)
@click.option("--host", help="The board as ssh knows it: user@address.")
@click.option("--usb", is_flag=True, help="The board is at this computer's USB port: load the bitstream into it.")
@click.option("--flash", is_flag=True, help="With --usb: into its flash, from which it starts when switched on.")
@click.option("--path", default="", help="Where to (default: bvit_hw-BOARD in jupyter_notebooks, or home).")
@click.option("--build", "build", type=click.Path(path_type=Path), help="A build's folder (default build/pynq-z2).")
@click.option("--ssh", "program", default="ssh", show_default=True, help="ssh with its options, e.g. 'ssh -p 2222'.")
def deploy_command(host: str | None, usb: bool, flash: bool, path: str, build: Path | None, program: str) -> None:
    """Copy driver, notebooks, model, test images and, where built, the bitstream to a board.

    The copy is checked by its hashes on the board and put in place by one rename; what was there before is kept beside
    it, and whatever goes wrong leaves it as it was. A board without a processor has its host at a USB port: --usb loads
    the bitstream, by openFPGALoader, and the driver stays on this computer.
    """
    from bvit_hw.pipeline.board_package import release_files

    if (host is None) != usb:
        raise click.UsageError("--host user@address, or --usb; one of them")
    if flash and not usb:
        raise click.UsageError("--flash: with --usb only")
    folder = build or Path("build") / ("ulx3s-85f" if usb else "pynq-z2")
    files = release_files(folder)
    if usb:
        from bvit_hw.flows.usb import load_over_usb

        board = load_over_usb(folder, files, keep=flash)
        click.echo(f"loaded into {board}{', and into its flash' if flash else ''}")
        package = shlex.quote(str(folder / "package"))
        click.echo(
            f"check it: cd {package} && python3 -m bvit_hw_runtime --device serial:/dev/ttyUSB0 selftest"
        )
        return
    assert host is not None
    _over_ssh(host, folder, files, path, program)


def _over_ssh(host: str, folder: Path, files: dict[str, Path], path: str, program: str) -> None:
    from bvit_hw.errors import ConfigError
    from bvit_hw.flows.ssh import deploy
    from bvit_hw.pipeline.board_package import BITSTREAMS, sums
    from bvit_hw.runtime.model_info import ModelInfo

    try:
        command = shlex.split(program)
    except ValueError as error:
        raise ConfigError(f"--ssh {program}: {error}; allowed: a program with options, quoted for a shell") from error
    board = ModelInfo.read(folder / "package" / "model.json").board
    done = deploy(host, files, sums(files), path=path, fallback=f"bvit_hw-{board}", ssh=command)
    click.echo(f"{done.files} files, {done.bytes:,} bytes, at {done.host}:{done.path}")
    if not any(name in files for name in BITSTREAMS):
        click.echo("no bitstream among them: none was built yet (docs/vivado.md)", err=True)
    click.echo(f"check it there: cd {shlex.quote(done.path)} && sudo python3 -m bvit_hw_runtime selftest")
