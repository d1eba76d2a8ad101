"""Tables on stdout that keep their figures whole, in a file as in a narrow terminal."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: blanks between columns
_GAP = 2


def print_table(
    headings: Sequence[str], rows: Sequence[Sequence[str]], *, texts: Sequence[str], remark: str, console: Console
) -> None:
    """Print ``rows``; columns of ``texts`` to the left, figures to the right.

    In a file or a pipe no row is folded or cut. Where a terminal is too narrow, the column ``remark`` comes below the
    table, a line for each row; where it still is, each row is a block of lines.
    """
    if not console.is_terminal:
        console = Console(width=max(console.width, _width(headings, rows)), file=console.file)
    at = headings.index(remark)
    whole = _width(headings, rows) <= console.width
    shown = [n for n in range(len(headings)) if whole or n != at]
    if _width([headings[n] for n in shown], [[row[n] for n in shown] for row in rows]) > console.width:
        for row in rows:
            console.print(Text(row[0]))
            for heading, cell in zip(headings[1:], row[1:], strict=True):
                console.print(Text(f"  {heading}: {cell}"))
        return
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0))
    for n in shown:
        table.add_column(headings[n], justify="left" if headings[n] in texts else "right", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(row[n]) for n in shown))
    console.print(table)
    if not whole:
        console.print()
        for row in rows:
            console.print(Text(f"{row[0]}: {row[at]}"))


def _width(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> int:
    """Columns that a table takes when nothing is folded."""
    return sum(max(len(row[n]) for row in [headings, *rows]) for n in range(len(headings))) + _GAP * len(headings)
