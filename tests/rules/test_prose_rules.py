"""Lines of prose in the pages stay within 120 columns; tables and blocks of code are as wide as they must be."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WIDEST = 120


def pages() -> list[Path]:
    """The pages that readers find: the README, docs/ and the README of each folder."""
    ours = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *ours, *sorted(ROOT.glob("*/README.md"))]


def wide(text: str) -> list[int]:
    """Numbers of the lines of prose beyond the limit."""
    found, fence = [], ""
    for number, line in enumerate(text.splitlines(), 1):
        # the fence of a block is closed by its own kind
        mark = re.match(r"\s*(```+|~~~+)", line)
        if mark and (not fence or line.strip() == fence):
            fence = "" if fence else mark[1]
        elif not fence and not line.startswith("|") and len(line) > WIDEST:
            found.append(number)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_prose_is_within_the_limit(page: Path) -> None:
    assert not wide(page.read_text(encoding="utf-8")), f"lines of {page} beyond {WIDEST} columns"


def test_the_pages_are_found() -> None:
    assert len(pages()) > 20 and (ROOT / "docs" / "style.md") in pages() and (ROOT / "sim" / "README.md") in pages()


LONG = "word " * 24 + "x"


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        (LONG, [1]),
        (LONG[:-1], []),
        (f"- {LONG}\n\n{LONG}", [1, 3]),
        (f"| {LONG} |", []),
        (f"```\n{LONG}\n```\n{LONG}", [4]),
        (f"```python\n{LONG}\n```", []),
        (f"````\n```\n{LONG}\n````\n{LONG}", [5]),
        ("\u00e9" * 120, []),
    ],
)
def test_the_rule_finds_what_it_forbids(text: str, lines: list[int]) -> None:
    assert wide(text) == lines


#: a page that a source names by its path
NAMED = re.compile(r"\bdocs/((?:[\w-]+/)*[\w-]+\.(?:md|svg))\b")


def named() -> dict[str, set[str]]:
    """Pages that the sources name, and where."""
    kinds = {".py", ".md", ".sv", ".v", ".toml", ".j2", ".hpp", ".cpp", ".ipynb", ".txt"}
    roots = ("bvit_hw", "rtl", "sim", "prove", "hls", "boards", "benchmarks", "tests", "docs")
    files = [p for root in roots for p in (ROOT / root).rglob("*") if p.suffix in kinds and p.is_file()]
    found: dict[str, set[str]] = {}
    for path in [*ROOT.glob("*.*"), ROOT / "Makefile", *files]:
        if path.is_file():
            for page in NAMED.findall(path.read_text(encoding="utf-8", errors="replace")):
                found.setdefault(page, set()).add(path.relative_to(ROOT).as_posix())
    return found


def test_a_page_that_is_named_is_there() -> None:
    pages = named()
    assert "bvit_hw/cli/build.py" in pages["engine.md"] and "README.md" in pages["comparison.md"]
    absent = {page: where for page, where in pages.items() if not (ROOT / "docs" / page).is_file()}
    # the test of the site's links names two that it wants to be missed
    assert absent == {"nowhere.md": {"tests/docs/test_conf.py"}}
