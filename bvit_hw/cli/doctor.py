"""`bvit-hw doctor`: lists each tool, found or not, what it is for and how to get it."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bvit_hw.cli.words import Command
from bvit_hw.doctor import examine


@click.command("doctor", cls=Command)
def doctor_command() -> None:
    """List each tool: found or not, what it is for, how to get it. Exits with 2 if a required one is missing."""
    findings = examine()
    table = Table(box=None, pad_edge=False)
    for heading in ("tool", "found", "for", "how to get it"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        tool = finding.tool
        text = f"does not run: {finding.fault}" if finding.fault else "not found"
        missing = Text(text, style="yellow")
        if tool.required:
            missing = Text(text if finding.fault else "missing, required", style="bold red")
        # Texts as they are: rich would take the brackets of 'bvit-hw[test]' for markup.
        found = missing if finding.version is None else Text(finding.version)
        remedy = Text("" if finding.version else tool.how_to_get)
        table.add_row(Text(tool.name), found, Text(tool.purpose), remedy)
    console = Console()
    # Piped into a file or a bug report, the table must not be folded to 80 columns.
    (console if console.is_terminal else Console(width=180)).print(table)
    if any(f.tool.required and f.version is None for f in findings):
        raise click.exceptions.Exit(2)
