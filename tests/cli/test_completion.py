"""A shell completes commands, options and their values, by what `bvit-hw completion` prints."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bvit_hw.cli.completion import SHELLS, VARIABLE
from tests.command import bvit

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("shell", SHELLS)
def test_what_each_shell_reads(shell: str, tmp_path: Path) -> None:
    done = bvit("completion", shell, cwd=tmp_path)
    assert done.returncode == 0 and f"{VARIABLE}={shell}_complete" in done.stdout


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("bvit-hw sim", ["simulate"]),
        ("bvit-hw simulate --tr", ["--trace"]),
        ("bvit-hw build --impl h", ["hls"]),
        ("bvit-hw build --board pynq", ["pynq-z1", "pynq-z2"]),
        ("bvit-hw explore --board zc", ["zcu104"]),
        ("bvit-hw compile --board mine.t", ["mine.t"]),
        ("bvit-hw train --preset fa", ["fashion-mnist"]),
    ],
)
def test_what_it_offers(words: str, offered: list[str]) -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), VARIABLE: "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bvit_hw.cli"], env=environment, capture_output=True, text=True, check=False
    )
    assert [line.split(",")[-1] for line in done.stdout.split()] == offered, done.stderr


#: what a shell is told, ``FILE`` being what `bvit-hw completion` printed, to print what it offers for "bvit-hw simu"
_ASKED = {
    "bash": "source FILE; COMP_WORDS=(bvit-hw simu); COMP_CWORD=1; _bvit_hw_completion bvit-hw; "
    "printf '%s\n' ${COMPREPLY[@]}",
    "zsh": "compdef() { print registered $2 }; compadd() { shift $(( # - 1 )); print -l -- ${(P)1} }; "
    "_describe() { print -l -- ${(P)3} }; source FILE; words=(bvit-hw simu); CURRENT=2; _bvit_hw_completion",
    "fish": "source FILE; complete -C 'bvit-hw simu'",
}


@pytest.mark.parametrize("shell", SHELLS)
def test_the_shell_itself_completes(shell: str, tmp_path: Path) -> None:
    """In the shells that are here; bash always is."""
    if shell != "bash" and shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    file = tmp_path / "completion"
    file.write_text(bvit("completion", shell, cwd=tmp_path).stdout)
    command = tmp_path / "bvit-hw"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bvit_hw.cli "$@"\n')
    command.chmod(0o755)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    done = subprocess.run(
        [shell, "-c", _ASKED[shell].replace("FILE", str(file))],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    offered = [re.split(r"[\t:]", line)[0] for line in done.stdout.splitlines()]
    assert [word for word in offered if word.startswith("sim")] == ["simulate"], done.stdout + done.stderr


def test_a_shell_that_is_not_known_is_refused(tmp_path: Path) -> None:
    done = bvit("completion", "tcsh", cwd=tmp_path)
    assert done.returncode == 2 and "'bash', 'zsh', 'fish'" in done.stderr
