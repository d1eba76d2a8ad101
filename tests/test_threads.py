"""Threads: as many as there are cores for us, sleeping while they wait, and what was chosen is said."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from bvit_hw import threads
from bvit_hw.threads import choose_threads, usable_cores, wait_passively


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


def test_what_is_chosen_is_set_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert choose_threads(3, 32, why="--threads") == "3 CPU threads (--threads)" and torch.get_num_threads() == 3
    assert choose_threads(image_size=64) == "1 CPU thread (images of 64 x 64 gain nothing from more)"
    assert torch.get_num_threads() == 1
    torch.set_num_threads(7)
    monkeypatch.setattr(threads, "usable_cores", lambda: 2)
    assert choose_threads(image_size=65) == "2 CPU threads (the cores there are)" and torch.get_num_threads() == 2
    torch.set_num_threads(5)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    assert choose_threads() == "5 CPU threads (OMP_NUM_THREADS)"


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"cpu.max": "150000 100000\n"}, 2),
        ({"cpu.max": "50000 100000\n"}, 1),
        ({"cpu.max": "max 100000\n"}, 64),
        ({"cpu/cpu.cfs_quota_us": "300000\n", "cpu/cpu.cfs_period_us": "100000\n"}, 3),
        ({"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 64),
        ({"cpu.max": "nonsense\n"}, 64),
        ({}, 64),
    ],
)
def test_a_containers_share_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.setattr(threads, "_CGROUPS", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(64)))
    assert usable_cores() == cores


@pytest.mark.parametrize(
    "given", [{"OMP_WAIT_POLICY": "ACTIVE"}, {"GOMP_SPINCOUNT": "7"}, {"KMP_BLOCKTIME": "200"}, {"OMP_WAIT_POLICY": ""}]
)
def test_who_has_said_how_threads_wait_keeps_it(given: dict[str, str]) -> None:
    environment = dict(given)
    wait_passively(environment)
    assert environment == given


def test_the_command_line_says_how_before_openmp_is_loaded() -> None:
    """OpenMP itself tells what it goes by: in the process, and in one that it starts."""
    program = (
        "from bvit_hw.cli import main\ntry:\n    main(['--version'])\nexcept SystemExit:\n    pass\n"
        "import torch, subprocess, sys\nsubprocess.run([sys.executable, '-c', 'import torch'])"
    )
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_", "KMP_"))}
    environment = {**kept, "OMP_DISPLAY_ENV": "VERBOSE"}
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
    assert done.stderr.count("OMP_WAIT_POLICY = 'PASSIVE'") == done.stderr.count("GOMP_SPINCOUNT = '1000'") == 2
