"""`bvit-hw completion`: what a shell reads to complete commands and options, by click's own means."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from bvit_hw.cli.words import Command

#: the variable by which a shell asks the program (click's rule for its name)
VARIABLE = "_BVIT_HW_COMPLETE"
SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=Command)
@click.argument("shell", metavar="SHELL", type=click.Choice(SHELLS))
def completion_command(shell: str) -> None:
    """Print what SHELL (bash, zsh or fish) reads to complete commands, options and names of files.

    bash: eval "$(bvit-hw completion bash)" in ~/.bashrc. zsh: eval "$(bvit-hw completion zsh)" in ~/.zshrc, behind
    compinit. fish: bvit-hw completion fish > ~/.config/fish/completions/bvit-hw.fish
    """
    from bvit_hw.cli.group import cli

    kind = get_completion_class(shell)
    assert kind is not None
    click.echo(kind(cli, {}, "bvit-hw", VARIABLE).source())
