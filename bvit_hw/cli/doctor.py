"""`bvit-hw doctor`: lists each tool, found or not, what it is for and how to get it."""

from __future__ import annotations

import json
from collections.abc import Sequence

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bvit_hw.cli.words import Command
from bvit_hw.doctor import Finding, examine

_HEADINGS = ("tool", "found", "for", "how to get it")
#: columns from which on the texts fit beside one another
_WIDE = 160


def _found(finding: Finding) -> Text:
    if finding.version is not None:
        return Text(finding.version)
    required = finding.tool.required
    missing = "missing, required" if required else "not found"
    return Text(
        f"does not run: {finding.fault}" if finding.fault else missing, style="bold red" if required else "yellow"
    )


@click.command("doctor", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="The same as JSON.")
def doctor_command(as_json: bool) -> None:
    """List each tool: found or not, what it is for, how to get it. Exits with 2 if a required one is missing."""
    findings = examine()
    if as_json:
        click.echo(json.dumps([_as_json(finding) for finding in findings], indent=1))
    else:
        _print(findings)
    if any(f.tool.required and f.version is None for f in findings):
        raise click.exceptions.Exit(2)


def _as_json(finding: Finding) -> dict[str, object]:
    tool = finding.tool
    return {
        "tool": tool.name, "version": finding.version, "fault": finding.fault, "required": tool.required,
        "purpose": tool.purpose, "how_to_get": tool.how_to_get,
    }  # fmt: skip


def _print(findings: Sequence[Finding]) -> None:
    # Texts as they are: rich would take the brackets of 'bvit-hw[test]' for markup.
    rows = [
        (Text(f.tool.name), _found(f), Text(f.tool.purpose), Text("" if f.version else f.tool.how_to_get))
        for f in findings
    ]
    console = Console()
    if not console.is_terminal:
        console = Console(width=180)  # piped into a file or a bug report, it must not be folded to 80 columns
    if console.width >= _WIDE:
        table = Table(box=None, pad_edge=False)
        for heading in _HEADINGS:
            table.add_column(heading, overflow="fold")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    else:
        # A line for each text, which the terminal may break and a copy of it does not: there are commands among them.
        for row in rows:
            console.print(row[0], style="bold", soft_wrap=True)
            for heading, text in zip(_HEADINGS[1:], row[1:], strict=True):
                if text:
                    console.print(Text(f"  {heading}: ") + text, soft_wrap=True)
