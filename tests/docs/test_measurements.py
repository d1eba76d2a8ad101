"""docs/measurements.md names every script of benchmarks/ that gives figures, with the page that has them."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "measurements.md").read_text()
#: scripts without figures of their own, and what they are for
WITHOUT = {
    "machine.py": "what a script says of the machine",
    "plain_binaryvit.py": "the second implementation that others compare with",
    "cost_samples.py": "the operators that fit_costs counts",
    "train_teacher.py": "trains a teacher",
}


def rows() -> list[tuple[list[str], list[str]]]:
    """Of each line of the table the pages and the scripts."""
    lines = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| figures")]
    return [(re.findall(r"[\w/]+\.md", line), re.findall(r"benchmarks/(\w+\.py)", line)) for line in lines]


def test_every_script_is_named() -> None:
    named = {script for _, scripts in rows() for script in scripts}
    assert named | set(WITHOUT) == {path.name for path in (ROOT / "benchmarks").glob("*.py")}


def test_the_pages_name_the_scripts() -> None:
    assert len(rows()) > 20
    for pages, scripts in rows():
        texts = [(ROOT / page).read_text() for page in pages]
        assert texts, scripts
        for script in scripts:
            assert all(script in text for text in texts), (script, pages)
