"""`bvit-hw deploy`: copy a build to a board over ssh."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from bvit_hw.cli.words import Command


@click.command("deploy", cls=Command)
@click.option("--host", required=True, help="The board as ssh knows it: user@address.")
@click.option("--path", default="", help="Where to (default: bvit_hw-BOARD in jupyter_notebooks, or home).")
@click.option("--build", "build", type=click.Path(path_type=Path), help="A build's folder (default build/pynq-z2).")
@click.option("--ssh", "program", default="ssh", show_default=True, help="ssh with its options, e.g. 'ssh -p 2222'.")
def deploy_command(host: str, path: str, build: Path | None, program: str) -> None:
    """Copy driver, notebooks, model, test images and, where built, the bitstream to a board.

    The copy is checked by its hashes on the board and put in place by one rename; what was there before is kept beside
    it, and whatever goes wrong leaves it as it was.
    """
    from bvit_hw.errors import ConfigError
    from bvit_hw.flows.ssh import deploy
    from bvit_hw.pipeline.board_package import BITSTREAMS, release_files, sums
    from bvit_hw.runtime.model_info import ModelInfo

    try:
        command = shlex.split(program)
    except ValueError as error:
        raise ConfigError(f"--ssh {program}: {error}; allowed: a program with options, quoted for a shell") from error
    folder = build or Path("build") / "pynq-z2"
    files = release_files(folder)
    board = ModelInfo.read(folder / "package" / "model.json").board
    done = deploy(host, files, sums(files), path=path, fallback=f"bvit_hw-{board}", ssh=command)
    click.echo(f"{done.files} files, {done.bytes:,} bytes, at {done.host}:{done.path}")
    if not any(name in files for name in BITSTREAMS):
        click.echo("no bitstream among them: Vivado has not built one yet (docs/vivado.md)", err=True)
    click.echo(f"check it there: cd {shlex.quote(done.path)} && sudo python3 -m bvit_hw_runtime selftest")
