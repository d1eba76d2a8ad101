"""Empty words, and folders' names where a file is written: refused by every command that takes them."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from bvit_hw.cli import cli
from bvit_hw.cli.words import Command
from tests.command import bvit, refused

NAMES = cli.list_commands(click.Context(cli))


def _commands() -> dict[str, click.Command]:
    context = click.Context(cli)
    found = {name: cli.get_command(context, name) for name in NAMES}
    assert len(found) > 10 and all(isinstance(command, Command) for command in found.values())
    return {name: command for name, command in found.items() if command is not None}


def _takes_text(parameter: click.Parameter) -> bool:
    return not (isinstance(parameter, click.Option) and (parameter.is_flag or parameter.count))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", ["", "  "])
def test_no_word_may_be_empty(name: str, text: str, tmp_path: Path) -> None:
    for parameter in filter(_takes_text, _commands()[name].params):
        words = [text] if isinstance(parameter, click.Argument) else [max(parameter.opts, key=len), text]
        done = bvit(name, *words, cwd=tmp_path)
        refused(done, f"{text!r} is empty; give it a value, or leave it out", parameter.opts[0].lstrip("-").upper()
                if isinstance(parameter, click.Argument) else parameter.opts[0])  # fmt: skip
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("out", ["new/", "new/.", ".", "..", "/", "there/", "there/.."])
@pytest.mark.parametrize("command", [("import", "x.pth"), ("freeze",), ("export",)])
def test_a_file_is_not_written_where_a_folder_is_named(command: tuple[str, ...], out: str, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    refused(bvit(*command, "--overwrite", "-o", out, cwd=tmp_path), repr(out), "names a folder; name the file to write")
    assert [entry.name for entry in tmp_path.iterdir()] == ["there"]
