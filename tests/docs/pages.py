"""A tutorial followed to the letter: its commands, its Python, its files, and the output that it shows.

| block of a page | what is done with it |
|---|---|
| ``sh`` | each command is run, in order, in the tutorial's folder; it must succeed, or end as ``# exits with 1`` says |
| ``python`` | run there too; names live on to the next block |
| ``{code-block} LANGUAGE`` with ``:caption: FILE`` | written to the file |
| ``text`` behind one of the first two | must be what that block printed on stdout; ``...`` stands for anything |
| ``console`` | shown only: needs a board or a vendor's tool. The test that follows the page counts them |
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.command import bvit

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
_FENCE = re.compile(r"^(```+)(\{[\w-]+\})? ?([\w-]*)\n((?::\w+:[^\n]*\n)*)(.*?)^\1$", re.M | re.S)
_CAPTION = re.compile(r"^:caption: (\S+)$", re.M)
#: what only a shell understands; a command without it is called in this process
_SHELL = re.compile(r"[|<>&;$*`(]")


@dataclass(frozen=True)
class Block:
    """A block of a page: its kind (sh, python, file, text, console, or another), its text and its line."""

    kind: str
    text: str
    line: int
    name: str = ""


def blocks(text: str) -> list[Block]:
    """The blocks of a page in their order."""
    found = []
    for match in _FENCE.finditer(text):
        directive, language, options, body = match[2], match[3], match[4], match[5]
        line = text.count("\n", 0, match.start()) + 1
        caption = _CAPTION.search(options)
        if directive == "{code-block}" and caption:
            found.append(Block("file", body, line, caption[1]))
        elif directive is None:
            found.append(Block(language, body, line))
    return found


def commands(text: str) -> list[tuple[str, int]]:
    """The commands of an ``sh`` block and the exit codes that they are to have; continued lines as one."""
    found = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        command = re.sub(r"(^|\s)#.*$", "", line).strip()
        code = re.search(r"# exits with (\d+)", line)
        if command:
            found.append((command, int(code[1]) if code else 0))
    return found


def matches(shown: str, printed: str) -> bool:
    """Whether ``printed`` is what a page shows: spaces count once, ``...`` is anything, alone in a line any lines."""

    wanted = [" ".join(line.split()) for line in shown.splitlines() if line.strip()]
    found = [" ".join(line.split()) for line in printed.splitlines() if line.strip()]
    patterns = [re.escape(line).replace(r"\.\.\.", ".*") for line in wanted]

    def agree(i: int, j: int) -> bool:
        """Whether the shown lines from ``i`` on are the printed ones from ``j`` on."""
        if i == len(wanted):
            return j == len(found)
        if wanted[i] == "...":
            return any(agree(i + 1, k) for k in range(j, len(found) + 1))
        return j < len(found) and re.fullmatch(patterns[i], found[j]) is not None and agree(i + 1, j + 1)

    return agree(0, 0)


class Reader:
    """Somebody who follows a page in ``folder``; ``replace`` makes what takes long short."""

    def __init__(self, folder: Path, replace: Mapping[str, str] | None = None) -> None:
        self.folder, self.replace = folder, dict(replace or {})
        self.names: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""

    def follow(self, page: Path, until: str | None = None) -> list[Block]:
        """Do what the page says, up to the first block that holds ``until``; returns the blocks that are only shown."""
        text = page.read_text(encoding="utf-8")
        unused = [old for old in self.replace if old not in text]
        assert not unused, f"{page.name} no longer holds {unused}"
        for old, new in self.replace.items():
            text = text.replace(old, new)
        shown = []
        for block in blocks(text):
            if until is not None and until in block.text:
                return shown
            where = f"{page.name}, line {block.line}"
            if block.kind == "sh":
                self.printed = "".join(self._command(*command, where) for command in commands(block.text))
            elif block.kind == "python":
                self.printed = self._python(block.text, where)
            elif block.kind == "file":
                (self.folder / block.name).parent.mkdir(parents=True, exist_ok=True)
                (self.folder / block.name).write_text(block.text)
            elif block.kind == "text":
                assert matches(block.text, self.printed), f"{where}: printed was\n{self.printed}"
            elif block.kind == "console":
                shown.append(block)
            else:
                raise AssertionError(f"{where}: what is to be done with a block of {block.kind!r}?")
        assert until is None, f"{page.name} no longer holds {until!r}"
        return shown

    def _command(self, command: str, code: int, where: str) -> str:
        words = shlex.split(command)
        if words[0] == "bvit-hw" and not _SHELL.search(command):
            done = bvit(*words[1:], cwd=self.folder)
        else:
            environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{self._shim()}:{os.environ['PATH']}"}
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", command],
                cwd=self.folder, env=environment, capture_output=True, text=True, check=False,
            )  # fmt: skip
            done = ran  # type: ignore[assignment]
        what = f"{where}: {command}\nexit code {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-4000:]}"
        assert done.returncode == code, what
        return done.stdout

    def _shim(self) -> Path:
        """A folder with the command of this source tree in it."""
        path = self.folder.parent / f"{self.folder.name}-bin" / "bvit-hw"
        if not path.is_file():
            path.parent.mkdir()
            path.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -W ignore -m bvit_hw.cli "$@"\n')
            path.chmod(0o755)
        return path.parent

    def _python(self, text: str, where: str) -> str:
        before, out = Path.cwd(), io.StringIO()
        os.chdir(self.folder)
        try:
            with contextlib.redirect_stdout(out):
                exec(compile(text, where, "exec"), self.names)
        finally:
            os.chdir(before)
        return out.getvalue()
