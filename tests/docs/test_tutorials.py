"""The tutorials are true, and the beginning of the Python interface's page: each is followed to the letter, in a folder
of its own.

What takes minutes is made short in `make test` (``SHORT``: other numbers, or only up to a block); `make test-slow`
follows every page as it stands. docs/tutorials/add_an_operator.md and add_a_board.md have tests of their own.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.docs.pages import DOCS, Reader, blocks

TUTORIALS = DOCS / "tutorials"


@dataclass(frozen=True)
class Short:
    """How a page is made short: texts that are replaced, and the first block that is left out."""

    replace: Mapping[str, str] = field(default_factory=dict)
    until: str | None = None


SHORT = {
    "own_pictures": Short(
        {"--epochs 30 --quant-epochs 6": "--epochs 2 --quant-epochs 1", '("val", 12)': '("val", 3)',
         "--skip synthesize --until package": "--until fold"},
        until="bvit-hw run",
    ),
    "paper_to_alveo": Short(
        {"--limit 16": "--limit 4", "--skip synthesize --until package": "--until fold"}, until="ls build"
    ),
    "paper_on_pynq": Short(until="--architecture engine"),
    "faster_or_smaller": Short(until="--until generate"),
    # without the waveforms, for which the core is compiled once more
    "debug_a_mismatch": Short({" --count 1 \\\n  --trace fault.vcd --operator b0.hq": ""}),
}  # fmt: skip
#: blocks that nobody here can run, by page: they want a board or a vendor's tool, and the page says so
SHOWN_ONLY = {"own_pictures": 1, "paper_to_alveo": 2, "paper_on_pynq": 1, "debug_a_mismatch": 1, "../start": 1}
#: pages that begin with the build of `make build`
BEGIN_WITH_BUILD = ("faster_or_smaller", "../start", "../reference/api")
#: pages that other tests follow
ELSEWHERE = {"add_an_operator": "test_operators.py", "add_a_board": "test_boards.py"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "work"
    path.mkdir()
    return path


def follow(name: str, folder: Path, short: Short) -> None:
    shown = Reader(folder, short.replace).follow(TUTORIALS / f"{name}.md", short.until)
    assert len(shown) == (0 if short.until else SHOWN_ONLY.get(name, 0))


@pytest.mark.parametrize("name", [name for name in SHORT if name not in BEGIN_WITH_BUILD])
def test_in_short(name: str, folder: Path) -> None:
    follow(name, folder, SHORT[name])


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SHORT if name not in BEGIN_WITH_BUILD])
def test_as_it_stands(name: str, folder: Path) -> None:
    follow(name, folder, Short())


@pytest.mark.parametrize("name", BEGIN_WITH_BUILD)
def test_after_make_build(name: str, folder: Path, built: Path) -> None:
    """In a folder with a copy of the default build."""
    shutil.copytree(built, folder / "build" / "pynq-z2")
    follow(name, folder, SHORT.get(name, Short()))


@pytest.mark.slow
def test_after_make_build_as_it_stands(folder: Path, built: Path) -> None:
    shutil.copytree(built, folder / "build" / "pynq-z2")
    follow("faster_or_smaller", folder, Short())


def test_every_tutorial_is_followed() -> None:
    pages = {path.stem for path in TUTORIALS.glob("*.md")}
    assert pages == {*SHORT, *ELSEWHERE}
    for file in ELSEWHERE.values():
        assert (Path(__file__).parent / file).is_file()


def test_every_block_has_its_use() -> None:
    for path in [*TUTORIALS.glob("*.md"), DOCS / "start.md", DOCS / "reference" / "api.md"]:
        if path.stem not in ELSEWHERE:
            kinds = {block.kind for block in blocks(path.read_text())}
            assert kinds <= {"sh", "python", "file", "text", "console"}, path.name
