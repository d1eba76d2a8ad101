"""Tables keep their figures whole, and text of any kind can be printed, whatever the terminal."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest
from rich.console import Console

from bvit_hw.cli.tables import print_table

HEADINGS = ("model", "size", "what it is")
ROWS = [("small", "1,234,567", "a [bold] network of some size"), ("größer", "9", "another")]


def printed(width: int, *, terminal: bool) -> list[str]:
    out = io.StringIO()
    console = Console(file=out, width=width, force_terminal=terminal, no_color=True, highlight=False)
    print_table(HEADINGS, ROWS, texts=("model", "what it is"), remark="what it is", console=console)
    lines = [line.replace("\x1b[1m", "").replace("\x1b[0m", "").rstrip() for line in out.getvalue().splitlines()]
    return lines


@pytest.mark.parametrize(("width", "terminal"), [(80, True), (10, False), (200, False)])
def test_a_row_is_a_line_where_there_is_room(width: int, terminal: bool) -> None:
    """In a file there always is."""
    assert printed(width, terminal=terminal) == [
        "model        size  what it is",
        "small   1,234,567  a [bold] network of some size",
        "größer          9  another",
    ]


def test_the_remark_comes_below_in_a_narrow_terminal() -> None:
    assert printed(40, terminal=True) == [
        "model        size",
        "small   1,234,567",
        "größer          9",
        "",
        "small: a [bold] network of some size",
        "größer: another",
    ]


def test_a_row_is_a_block_in_a_very_narrow_terminal() -> None:
    lines = printed(16, terminal=True)
    assert lines[:2] == ["small", "  size:"] or lines[:2] == ["small", "  size: 1,234,567"]
    assert "…" not in "".join(lines) and "1,234,567" in "".join(lines)


_SAYS = """
from bvit_hw.cli.printable import make_printable
make_printable()
print("168.1 µs, 3×3 → größer 網")
"""


@pytest.mark.parametrize(
    ("encoding", "said"),
    [
        ("ascii", b"168.1 us, 3x3 -> gr??er ?"),
        ("latin-1", "168.1 µs, 3×3 -> größer ?".encode("latin-1")),
        ("utf-8", "168.1 µs, 3×3 → größer 網".encode()),
    ],
)
def test_any_text_can_be_printed(encoding: str, said: bytes) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SAYS],
        env={**os.environ, "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == said


def test_the_locale_c_without_utf_8() -> None:
    """Python prints names of files byte by byte there, and refuses all other signs."""
    says = "from bvit_hw.cli.printable import make_printable\nmake_printable()\nprint('\\udcff: 168.1 \\xb5s')"
    done = subprocess.run(
        [sys.executable, "-c", says],
        env={**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"\xff: 168.1 us"), done.stderr


def test_the_driver_prints_figures_on_an_ascii_terminal() -> None:
    code = (
        "import sys\nfrom bvit_hw.runtime import __main__ as m\n"
        "m.self_test = lambda *a: 'latency 168.1 µs'\nsys.exit(m.main(['selftest']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, b"latency 168.1 ?s"), done.stderr
