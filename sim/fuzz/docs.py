"""The counts of docs/verification.md: what the journal of the fuzz holds."""

from __future__ import annotations

import re
from collections import Counter

from .runner import ROOT, Journal

PAGE = ROOT / "docs" / "verification.md"
BEGIN, END = "<!-- fuzz: begin -->\n", "<!-- fuzz: end -->\n"
#: columns: title, and the fact that is added up; outcomes are counted
_COLUMNS = {
    "operators": "operators", "FIFOs": "fifos", "one below": "judged", "stuck": "stuck", "slower": "slower",
    "as fast": "as fast", "tight": "tight", "tight, stuck": "tight stuck", "tight, slower": "tight slower",
}  # fmt: skip


def table(journal: Journal) -> str:
    """A row for every seed, and one for all."""
    head = ["seed", "cases", "passed", "refused", "failed", *_COLUMNS]
    rows, total = [], Counter[str]()
    for seed in sorted({seed for seed, _ in journal.results}):
        count = Counter[str]()
        for result in (r for r in journal.results.values() if r.seed == seed):
            count["cases"] += 1
            count[result.outcome] += 1
            for fact in _COLUMNS.values():
                count[fact] += int(str(result.facts.get(fact, 0)))
        rows.append((str(seed), count))
        total += count
    keys = ["cases", "passed", "refused", "failed", *_COLUMNS.values()]
    lines = [head, ["---"] * len(head)]
    lines += [[name, *(f"{count[key]:,}" for key in keys)] for name, count in [*rows, ("all", total)]]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def write_counts(journal: Journal) -> None:
    """Put them into the page."""
    text, whole = PAGE.read_text(), BEGIN + table(journal) + END
    assert BEGIN in text and END in text, f"{PAGE}: the marks of the fuzz's table are missing"
    PAGE.write_text(re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: whole, text, flags=re.DOTALL))
