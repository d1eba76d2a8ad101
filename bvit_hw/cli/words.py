"""What every command refuses of the words it is given (empty ones, a folder's name where a file is written), and what
a shell is offered to complete them with: names of boards and presets.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem


class Command(click.Command):
    """A command that takes no empty text: a shell makes one of a variable that is not set."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does it, after a look at the texts as they were given."""
        if not ctx.resilient_parsing:
            # Before they become paths: an empty one would be this folder.
            given, _, order = self.make_parser(ctx).parse_args(list(args))
            for parameter in dict.fromkeys(order):
                value = given.get(parameter.name)
                for text in value if isinstance(value, (list, tuple)) else [value]:
                    if isinstance(text, str) and not text.strip():
                        said = f"{text!r} is empty; give it a value, or leave it out"
                        raise click.BadParameter(said, ctx, parameter)
        return super().parse_args(ctx, args)


class OutputFile(click.Path):
    """A file that a command writes, not a folder: a slash at the end would be lost in a path, and a file be made."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        text = os.fspath(value)
        if os.path.basename(text) in ("", ".", ".."):
            self.fail(f"{text!r} names a folder; name the file to write in it", param, ctx)
        return super().convert(value, param, ctx)


def complete_board(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Boards whose names begin so; files, where there are none."""
    from bvit_hw.boards import board_names

    found = [CompletionItem(name) for name in board_names() if name.startswith(begun)]
    return found or [CompletionItem(begun, type="file")]


def complete_preset(context: click.Context, parameter: click.Parameter, begun: str) -> list[CompletionItem]:
    """Presets whose names begin so."""
    from bvit_hw.models.presets import NAMES

    return [CompletionItem(name) for name in NAMES if name.startswith(begun)]
