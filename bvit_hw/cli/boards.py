"""`bvit-hw boards`: the boards that are known, with their budgets."""

from __future__ import annotations

import json
from dataclasses import asdict

import click
from rich.console import Console

from bvit_hw.boards import board_names, load_board
from bvit_hw.cli.tables import print_table
from bvit_hw.cli.words import Command


@click.command("boards", cls=Command)
@click.option("--json", "as_json", is_flag=True, help="Exact figures as JSON.")
def boards_command(as_json: bool) -> None:
    """List the boards that can be built for, with part, clock and what an accelerator may take of each."""
    boards = [load_board(name) for name in board_names()]
    if as_json:
        found = [
            {"board": board.name, "title": board.title, "part": board.part, "family": board.family,
             "clock_mhz": board.clock_mhz, "limits": asdict(board.limits)}
            for board in boards
        ]  # fmt: skip
        click.echo(json.dumps(found, indent=1))
        return
    rows = []
    for board in boards:
        limits = board.limits
        counts = (limits.lut, limits.ff, limits.bram18, limits.uram, limits.dsp)
        rows.append((board.name, board.title, board.part, f"{board.clock_mhz:g}", *(f"{n:,.0f}" for n in counts)))
    headings = ("board", "title", "part", "MHz", "LUT", "FF", "BRAM18", "URAM", "DSP")
    print_table(headings, rows, texts=("board", "title", "part"), remark="title", console=Console())
