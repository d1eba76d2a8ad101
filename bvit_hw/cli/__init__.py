"""The command `bvit-hw`: one subcommand a file, imported when it is called."""

from bvit_hw.cli.group import cli, main

__all__ = ["cli", "main"]
