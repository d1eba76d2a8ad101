"""`bvit-hw diff`: two builds side by side."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from bvit_hw import api
from bvit_hw.cli.tables import print_table
from bvit_hw.cli.words import Command

_HEADINGS = ("what", "first", "second", "change")


@click.command("diff", cls=Command)
@click.argument("first", type=click.Path(path_type=Path))
@click.argument("second", type=click.Path(path_type=Path))
@click.option("--all", "everything", is_flag=True, help="What is equal as well.")
@click.option("--json", "as_json", is_flag=True, help="All rows as JSON.")
def diff_command(first: Path, second: Path, everything: bool, as_json: bool) -> None:
    """Compare the builds in the folders FIRST and SECOND: rate, area, accuracy, foldings, depths of FIFOs.

    Only what differs is printed; what only one of them has is a dash in the other's column.
    """
    found = api.diff(first, second)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=1))
        return
    rows = found.rows if everything else found.differing
    if rows:
        cells = [(f"{row.section}: {row.name}", _cell(row.a), _cell(row.b), _change(row.ratio)) for row in rows]
        print_table(_HEADINGS, cells, texts=("what",), remark="change", console=Console())
    equal = len(found.rows) - len(found.differing)
    hint = "" if everything or not equal else "; --all shows the others"
    click.echo(f"{len(found.differing)} of {len(found.rows)} rows differ{hint}")


def _cell(value: int | float | str | None) -> str:
    if value is None:
        return "-"
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _change(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * (ratio - 1):+.1f} %"
