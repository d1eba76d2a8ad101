"""`bvit-hw init`: a network file to begin with."""

from __future__ import annotations

import re
from pathlib import Path

import click

from bvit_hw.cli.words import Command, complete_preset

#: names that are the same file, folder and word in a report everywhere
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@click.command("init", cls=Command)
@click.argument("name")
@click.option("--preset", default="cifar10", show_default=True, shell_complete=complete_preset,
              help="The network to begin with (`bvit-hw models`).")  # fmt: skip
@click.option("--out", type=click.Path(path_type=Path), help="Folder to write it in (default: this one).")
@click.option("--overwrite", is_flag=True, help="Replace the file if it is there.")
def init_command(name: str, preset: str, out: Path | None, overwrite: bool) -> None:
    """Write a network file, NAME.toml, with a comment on each field, for --network of train, models and build."""
    from dataclasses import replace

    from bvit_hw.errors import ConfigError
    from bvit_hw.models.network_toml import network_text
    from bvit_hw.models.presets import NAMES, preset_network
    from bvit_hw.outputs import writable_output, write_text

    name = name.removesuffix(".toml")
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"name {name!r}: allowed are 1 to 64 letters, digits, '.', '_' and '-', the first a letter or digit; --out "
            "names another folder"
        )
    if name in NAMES:
        raise ConfigError(f"name {name!r} is a preset's; choose another, reports would not tell the two apart")
    path = (out or Path()) / f"{name}.toml"
    writable_output(path, overwrite=overwrite)
    begun = preset_network(preset)
    text = network_text(replace(begun, name=name, summary=f"{name}, begun with {preset}"))
    write_text(path, text)
    click.echo(f"{path}: bvit-hw models --network {path} says what it costs")
