"""A shell completes commands, options and their values, by what `bvit-hw completion` prints."""

from __future__ import annotations

import os
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
    [("bvit-hw sim", "simulate"), ("bvit-hw simulate --tr", "--trace"), ("bvit-hw build --impl h", "hls")],
)
def test_what_it_offers(words: str, offered: str) -> None:
    environment = {
        **os.environ, "PYTHONPATH": str(ROOT), VARIABLE: "bash_complete", "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "bvit_hw.cli"], env=environment, capture_output=True, text=True, check=False
    )
    assert [line.split(",")[-1] for line in done.stdout.split()] == [offered], done.stderr


def test_a_shell_that_is_not_known_is_refused(tmp_path: Path) -> None:
    done = bvit("completion", "tcsh", cwd=tmp_path)
    assert done.returncode == 2 and "'bash', 'zsh', 'fish'" in done.stderr
