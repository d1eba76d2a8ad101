"""Signals to all processes of a run, and readers that are killed: the state is kept, and nobody is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from bvit_hw.train.state import STATE_FILE, read_state
from tests.test_data_files import write_tree
from tests.training_children import metrics

_PATIENCE = 90


def _start(data: Path, out: Path) -> subprocess.Popen[str]:
    """A run with two readers in a process group of its own, with many epochs before it."""
    words = ["--preset", "tiny-digits", "--recipe", "paper", "--teacher", "none", "--data", f"imagenet={data}"]
    words += ["--epochs", "1000", "--batch-size", "4", "--workers", "2", "--out", str(out), "--threads", "1"]
    return subprocess.Popen(
        [sys.executable, "-m", "bvit_hw.cli", "train", *words, "--no-tensorboard", "--evaluate-every", "0"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _in_group(group: int) -> list[int]:
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(fields[2]) == group and fields[0] != "Z":
            found.append(int(folder.name))
    return found


def _readers(process: subprocess.Popen[str]) -> list[int]:
    """Those that have begun to read: they ignore SIGINT."""
    found = []
    for pid in _in_group(process.pid):
        status = Path(f"/proc/{pid}/status").read_text()
        ignored = int(status.partition("SigIgn:")[2].split()[0], 16)
        if pid != process.pid and ignored >> (signal.SIGINT - 1) & 1:
            found.append(pid)
    return found


def _under_way(process: subprocess.Popen[str], out: Path) -> list[int]:
    """Wait until steps are done; the readers."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and process.poll() is None:
        if (out / STATE_FILE).exists() and len(readers := _readers(process)) == 2:
            return readers
        time.sleep(0.05)
    process.kill()
    raise AssertionError(f"no step was done: {process.communicate()[1]}")


def _gone(group: int) -> bool:
    deadline = time.monotonic() + 20
    while _in_group(group) and time.monotonic() < deadline:
        time.sleep(0.1)
    return not _in_group(group)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_whole_group_saves_the_last_step(tmp_path: Path, number: signal.Signals) -> None:
    out = tmp_path / "run"
    process = _start(write_tree(tmp_path / "data", images=6), out)
    _under_way(process, out)
    os.killpg(process.pid, number)
    _, stderr = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr and "interrupted" in stderr
    found = read_state(out / STATE_FILE)
    assert found is not None
    steps = 12 // 4 * found[1]["epoch"] + found[1]["step"]
    assert steps == max(line["step"] for line in metrics(out)) > 0, "the step that was under way is kept"
    assert _gone(process.pid)


def test_a_killed_reader_is_told_in_a_sentence_and_the_state_stays(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _start(write_tree(tmp_path / "data", images=6), out)
    os.kill(_under_way(process, out)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr and "reads pictures was ended from outside" in stderr and str(out) in stderr
    assert read_state(out / STATE_FILE) is not None
    assert _gone(process.pid)
