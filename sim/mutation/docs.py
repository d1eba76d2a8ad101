"""The table of docs/mutants.md that says how many mutants of each module were noticed."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from . import benches
from .journal import KILLS, Journal, hash_of
from .mutants import mutants_of
from .runner import listed, modules

PAGE = benches.ROOT / "docs" / "mutants.md"
BEGIN, END = "<!-- mutants: begin -->\n", "<!-- mutants: end -->\n"
HEAD = (
    "| module | mutants | tried | invalid | noticed | by time | by proof | equivalent | open | rate |\n"
    "|---|---|---|---|---|---|---|---|---|---|\n"
)


def rows(page: Path = PAGE) -> dict[str, list[str]]:
    """Module -> the other columns, as the page has them."""
    text = page.read_text()
    assert BEGIN in text and END in text, f"{page}: the marks of the table of mutants are missing"
    inside = text.split(BEGIN)[1].split(END)[0].removeprefix(HEAD)
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in inside.splitlines()]
    return {name.strip("`"): others for name, *others in cells}


def _row(name: str, mutants: int, count: Counter[str]) -> str:
    tried = sum(count[key] for key in (*KILLS, "survived", "equivalent", "invalid"))
    noticed = sum(count[key] for key in KILLS)
    judged = noticed + count["survived"]
    rate = f"{100 * noticed / judged:.0f} %" if judged else "-"
    cells = (
        f"`{name}`" if name.startswith("bvit") else name, mutants, tried, count["invalid"], noticed, count["timeout"],
        count["proof"], count["equivalent"], count["survived"], rate,
    )  # fmt: skip
    return "| " + " | ".join(str(cell) for cell in cells) + " |\n"


def write_table(journal: Journal) -> None:
    """Put what the journal has into the page; mutants of a text that has changed since count as not tried."""
    known, table, mutants, total = listed(), "", 0, Counter[str]()
    for name, path in modules().items():
        found, source = mutants_of(path), path.read_text()
        count: Counter[str] = Counter()
        for mutant in found:
            result = journal.results.get(mutant.id)
            if result is not None and result.text == hash_of(mutant.apply(source)):
                equivalent = result.outcome == "survived" and "equivalent" in known.get(mutant.id, {})
                count["equivalent" if equivalent else result.outcome] += 1
        table += _row(name, len(found), count)
        mutants += len(found)
        total += count
    table += _row("all", mutants, total)
    text = PAGE.read_text()
    temporary = PAGE.with_suffix(".tmp")
    whole = BEGIN + HEAD + table + END
    temporary.write_text(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: whole, text, flags=re.DOTALL))
    temporary.replace(PAGE)
