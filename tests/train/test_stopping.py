"""Signals to all processes of a run, and readers that are killed: the state is kept, and nobody is left behind."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path

import pytest

from bvit_hw.train.loop import MODEL_FILE
from bvit_hw.train.state import STATE_FILE, read_state
from tests.picture_trees import write_tree
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
        # A shell that started the tests in the background has them ignore SIGINT, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # type: ignore[arg-type,return-value]
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


@pytest.mark.parametrize(
    "numbers",
    [
        pytest.param((signal.SIGTERM,), marks=pytest.mark.slow),
        pytest.param((signal.SIGHUP,), marks=pytest.mark.slow),
        (signal.SIGINT, signal.SIGINT),
        (signal.SIGTERM, signal.SIGTERM, signal.SIGTERM),
    ],
    ids=lambda numbers: "+".join(number.name for number in numbers),
)
def test_signals_to_the_whole_group_save_the_last_step(tmp_path: Path, numbers: tuple[signal.Signals, ...]) -> None:
    """Twice as well: torchrun and `timeout` hand on to the run what the group, the run included, was sent already."""
    out = tmp_path / "run"
    process = _start(write_tree(tmp_path / "data", images=6), out)
    _under_way(process, out)
    for number in numbers:
        os.killpg(process.pid, number)
        time.sleep(0.02)
    _, stderr = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr and "interrupted" in stderr
    found = read_state(out / STATE_FILE)
    assert found is not None
    steps = 12 // 4 * found[1]["epoch"] + found[1]["step"]
    assert steps == max(line["step"] for line in metrics(out)) > 0, "the step that was under way is kept"
    assert _gone(process.pid)


def test_readers_go_on_when_they_alone_are_told_to_stop_and_end_with_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _start(write_tree(tmp_path / "data", images=6), out)
    readers = _under_way(process, out)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        for reader in readers:
            os.kill(reader, number)
    before = max(line["step"] for line in metrics(out))
    deadline = time.monotonic() + 30
    while max(line["step"] for line in metrics(out)) < before + 12:
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()[1]
        time.sleep(0.1)
    assert set(_readers(process)) == set(readers)
    process.kill()
    assert _gone(process.pid), "no reader is left behind"
    process.communicate()


def test_a_killed_reader_is_told_in_a_sentence_and_the_state_stays(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = _start(write_tree(tmp_path / "data", images=6), out)
    os.kill(_under_way(process, out)[0], signal.SIGKILL)
    _, stderr = process.communicate(timeout=_PATIENCE)
    assert process.returncode == 2, stderr
    assert "Traceback" not in stderr and "reads pictures was ended from outside" in stderr and str(out) in stderr
    assert read_state(out / STATE_FILE) is not None
    assert _gone(process.pid)


def _at_a_terminal() -> None:
    """In the child: its input is its terminal, and SIGHUP ends it, though the tests may have been started by nohup."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def test_a_terminal_that_is_closed_saves_the_last_step(tmp_path: Path) -> None:
    """The terminal sends SIGHUP, and nothing can be written to it any more."""
    out = tmp_path / "run"
    ours, its = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bvit_hw.cli", "train", "--out", str(out), "--no-tensorboard", "--save-steps", "1"],
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
        preexec_fn=_at_a_terminal,
    )
    try:
        os.close(its)
        deadline = time.monotonic() + _PATIENCE
        while not (out / STATE_FILE).exists() and time.monotonic() < deadline:
            if select.select([ours], [], [], 0.05)[0]:
                os.read(ours, 1 << 16)
        os.close(ours)
        assert process.wait(_PATIENCE) == 2
    finally:
        process.kill()
        process.wait()
    found = read_state(out / STATE_FILE)
    assert found is not None
    assert 22 * found[1]["epoch"] + found[1]["step"] == max(line["step"] for line in metrics(out)) > 0


def test_who_reads_what_is_said_may_leave(tmp_path: Path) -> None:
    """`bvit-hw train 2>&1 | head -1`: the run goes on to its end."""
    out = tmp_path / "run"
    command = [sys.executable, "-m", "bvit_hw.cli", "train", "--out", str(out), "--epochs", "1", "--quant-epochs", "0"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "CPU thread" in process.stderr.readline()
    process.stderr.close()
    assert process.wait(_PATIENCE) == 0
    assert (out / MODEL_FILE).exists()
