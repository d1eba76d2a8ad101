"""How tutorials are followed: what counts as a block, a command, and the output that a page shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import Reader, blocks, commands, matches

PAGE = """# Title
```{code-block} toml
:caption: sub/mine.toml

a = 1
```
```sh
# a comment
echo one \\
  two   # another
cat sub/mine.toml | tr a b
```
```text
one two
...
b = ...
```
```python
x = 2
```
```python
print(x + 1)
```
```text
3
```
```console
$ vivado
```
"""


def test_a_page_is_followed(tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "work"
    folder.mkdir()
    page.write_text(PAGE)
    reader = Reader(folder)
    (shown,) = reader.follow(page)
    assert shown.text == "$ vivado\n" and (folder / "sub/mine.toml").read_text() == "\na = 1\n"
    assert reader.names["x"] == 2 and reader.printed == "3\n"


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("one two\n...", "one three\n...", "page.md, line 13: printed was"),
        ("x + 1)", "x)", "page.md, line 24"),
        ("cat sub/mine.toml", "cat sub/none.toml", "page.md, line 7: cat sub/none.toml"),
        ("cat sub/mine.toml", "false # exits with 2", "exit code 1"),
        ("```console", "```rust", "block of 'rust'"),
    ],
)
def test_a_page_that_is_not_true_is_noticed(old: str, new: str, complaint: str, tmp_path: Path) -> None:
    page, folder = tmp_path / "page.md", tmp_path / "work"
    folder.mkdir()
    page.write_text(PAGE.replace(old, new))
    with pytest.raises(AssertionError, match=complaint):
        Reader(folder).follow(page)


def test_what_is_made_short_must_be_there(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    with pytest.raises(AssertionError, match="no longer holds"):
        Reader(tmp_path, {"--epochs 30": "--epochs 1"}).follow(page)
    with pytest.raises(AssertionError, match="no longer holds 'nothing'"):
        Reader(tmp_path).follow(page, until="nothing")


def test_commands() -> None:
    assert commands("a b \\\n   c  # d\n\n# e\nf#g\nh  # exits with 1\n") == [("a b c", 0), ("f#g", 0), ("h", 1)]
    assert [b.kind for b in blocks(PAGE)] == ["file", "sh", "text", "python", "python", "text", "console"]


@pytest.mark.parametrize(
    ("shown", "printed", "same"),
    [
        ("a  b\n", "a b\n\n", True),
        ("a\n...\nd", "a\nb\nc\nd", True),
        ("a\n...\nd", "a\nd", True),
        ("...\nd", "d", True),
        ("a\n...", "a\nb", True),
        ("a ... c", "a 12 b c", True),
        ("a ... c", "a\nc", False),
        ("a.b", "axb", False),
        ("a\nb", "a\nb\nc", False),
        ("a\n...\nd", "a\nb", False),
        ("1 (...)", "1 (2)", True),
    ],
)
def test_what_a_page_shows(shown: str, printed: str, same: bool) -> None:
    assert matches(shown, printed) is same
