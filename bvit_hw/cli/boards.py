"""`bvit-hw boards`: the boards that are known, with their budgets."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from bvit_hw.boards import board_names, load_board


@click.command("boards")
def boards_command() -> None:
    """List the boards that can be built for, with part, clock and what an accelerator may take of each."""
    table = Table(box=None, pad_edge=False)
    for heading in ("board", "title", "part", "MHz", "LUT", "FF", "BRAM18", "URAM", "DSP"):
        table.add_column(heading, justify="left" if heading in ("board", "title", "part") else "right")
    for name in board_names():
        board = load_board(name)
        limits = board.limits
        counts = (limits.lut, limits.ff, limits.bram18, limits.uram, limits.dsp)
        table.add_row(name, board.title, board.part, f"{board.clock_mhz:g}", *(f"{n:,.0f}" for n in counts))
    console = Console()
    (console if console.is_terminal else Console(width=160)).print(table)
