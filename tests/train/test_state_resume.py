"""Killed at any moment, alone or as one of two processes, a run goes on to the same losses and the same weights."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from bvit_hw.models import load_checkpoint
from bvit_hw.train.loop import MODEL_FILE
from bvit_hw.train.state import STATE_FILE, read_state
from tests.training_children import MOMENTS, finish, metrics, start

ROOT = Path(__file__).resolve().parents[2]


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_checkpoint(out / MODEL_FILE).state_dict()


def same_run(a: Path, b: Path) -> None:
    """Every loss, gradient norm, rate and accuracy, and every weight, to the last bit."""
    assert metrics(a) == metrics(b)
    left, right = weights(a), weights(b)
    assert left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def whole_run(tmp_path_factory: pytest.TempPathFactory, processes: int) -> Path:
    out = tmp_path_factory.mktemp(f"whole{processes}")
    assert finish(start(out, processes=processes)) == [0] * processes
    return out


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory, 1)


@pytest.fixture(scope="module")
def whole_of_two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return whole_run(tmp_path_factory, 2)


def killed_at_random(out: Path, processes: int, seed: int, kills: int) -> int:
    """Start the run again and again, killing it (all processes, or only one) until it is through; how often it was."""
    chance = random.Random(seed)
    for done in range(kills):
        children = start(out, processes=processes, options={"save_steps": chance.choice((1, 2, 3))})
        before = (out / "metrics.jsonl").stat().st_size if (out / "metrics.jsonl").exists() else 0
        # Counted from the first sign of training: how long a child takes to get there says nothing.
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and all(child.exitcode is None for child in children):
            if (out / STATE_FILE).exists() and (out / "metrics.jsonl").stat().st_size != before:
                break
            time.sleep(0.005)
        time.sleep(chance.uniform(0, 0.3))
        victims = children if chance.random() < 0.5 else [chance.choice(children)]
        for child in victims:
            if child.pid is not None and child.exitcode is None:
                os.kill(child.pid, signal.SIGKILL)
        if finish(children) == [0] * processes:
            return done
    assert finish(start(out, processes=processes)) == [0] * processes
    return kills


def test_a_run_killed_at_random_moments_ends_as_if_it_had_not_been(whole: Path, tmp_path: Path) -> None:
    assert len(metrics(whole)) == 17, "4 epochs of 4 steps and one measurement"
    assert killed_at_random(tmp_path, 1, seed=1, kills=3) > 0
    same_run(whole, tmp_path)


def test_so_does_one_of_two_processes(whole_of_two: Path, tmp_path: Path) -> None:
    assert killed_at_random(tmp_path, 2, seed=2, kills=2) > 0
    same_run(whole_of_two, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10, 18))
@pytest.mark.parametrize("processes", [1, 2])
def test_many_kills(whole: Path, whole_of_two: Path, tmp_path: Path, processes: int, seed: int) -> None:
    killed_at_random(tmp_path, processes, seed=seed, kills=6)
    same_run(whole if processes == 1 else whole_of_two, tmp_path)


@pytest.mark.parametrize(
    "moment",
    [m if m in ("half", "second rename") else pytest.param(m, marks=pytest.mark.slow) for m in MOMENTS],
)
def test_a_kill_inside_the_write_leaves_a_whole_state(whole: Path, tmp_path: Path, moment: str) -> None:
    options = {"save_steps": 1}
    assert finish(start(tmp_path, death=(6, moment), options=options)) == [-signal.SIGKILL]
    found = read_state(tmp_path / STATE_FILE)
    assert found is not None
    _, head = found
    # States are written after steps 1, 2, 3, 4 of the first epoch, then 1, 2: the sixth is of step 2.
    assert (head["epoch"], head["step"]) == ((1, 2) if moment == "renamed" else (1, 1))
    assert finish(start(tmp_path, options=options)) == [0]
    same_run(whole, tmp_path)


@pytest.mark.parametrize("gradients", ["32", "bf16"])
def test_with_fused_steps_too(tmp_path: Path, gradients: str) -> None:
    fused = {"options": {"save_steps": 3}, "fuse": True, "gradients": gradients}
    assert finish(start(tmp_path / "whole", **fused)) == [0]
    assert finish(start(tmp_path / "killed", death=(3, "half"), **fused)) == [-signal.SIGKILL]
    assert finish(start(tmp_path / "killed", **fused)) == [0]
    same_run(tmp_path / "whole", tmp_path / "killed")


def test_a_kill_inside_the_very_first_write_starts_afresh(whole: Path, tmp_path: Path) -> None:
    assert finish(start(tmp_path, death=(1, "half"), options={"save_steps": 1})) == [-signal.SIGKILL]
    assert read_state(tmp_path / STATE_FILE) is None
    assert finish(start(tmp_path)) == [0]
    same_run(whole, tmp_path)


@pytest.mark.parametrize("number", [signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)])
def test_ctrl_c_saves_the_step_and_ends(whole: Path, tmp_path: Path, number: signal.Signals) -> None:
    (child,) = start(tmp_path)
    journal = tmp_path / "metrics.jsonl"
    deadline = time.monotonic() + 60
    while not (tmp_path / STATE_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert child.pid is not None
    os.kill(child.pid, number)
    assert finish([child]) == [2]
    found = read_state(tmp_path / STATE_FILE)
    assert found is not None
    done = found[1]["epoch"] * 4 + found[1]["step"]
    assert 4 <= done < 16 and len(journal.read_text().splitlines()) == done, "each step done is saved"
    assert finish(start(tmp_path)) == [0]
    same_run(whole, tmp_path)


@pytest.mark.slow
def test_ctrl_c_ends_the_command_with_exit_code_2(tmp_path: Path) -> None:
    command = [sys.executable, "-W", "ignore", "-m", "bvit_hw.cli", "train", "--out", str(tmp_path), "--no-tensorboard"]
    child = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # type: ignore[arg-type,return-value]
    )
    deadline = time.monotonic() + 200
    while not (tmp_path / STATE_FILE).exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=100)
    assert child.returncode == 2
    assert "interrupted" in told and "Traceback" not in told
    found = read_state(tmp_path / STATE_FILE)
    assert found is not None and found[1]["epoch"] * 22 + found[1]["step"] == len(metrics(tmp_path))
