"""`bvit-hw boards`: the boards that are known, with their budgets."""

from __future__ import annotations

import click
from rich.console import Console

from bvit_hw.boards import board_names, load_board
from bvit_hw.cli.tables import print_table
from bvit_hw.cli.words import Command


@click.command("boards", cls=Command)
def boards_command() -> None:
    """List the boards that can be built for, with part, clock and what an accelerator may take of each."""
    rows = []
    for name in board_names():
        board = load_board(name)
        limits = board.limits
        counts = (limits.lut, limits.ff, limits.bram18, limits.uram, limits.dsp)
        rows.append((name, board.title, board.part, f"{board.clock_mhz:g}", *(f"{n:,.0f}" for n in counts)))
    headings = ("board", "title", "part", "MHz", "LUT", "FF", "BRAM18", "URAM", "DSP")
    print_table(headings, rows, texts=("board", "title", "part"), remark="title", console=Console())
