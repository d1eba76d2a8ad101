"""Fixtures that tests/ and sim/ share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent

# Every pytest worker has a core; PyTorch's threads would only fight for it. Set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of `bvit-hw build --board pynq-z2`, run once for all pytest workers.

    ``stdout.txt`` and ``stderr.txt`` beside it hold what the command printed.
    """
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / "built"
    with (base / "built.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "report.json").is_file():
            argv = [sys.executable, "-W", "ignore", "-m", "bvit_hw.cli", "build", "--board", "pynq-z2"]
            environment = {**os.environ, "PYTHONPATH": str(ROOT)}
            done = subprocess.run(
                [*argv, "--out", str(folder)], cwd=base, env=environment, capture_output=True, text=True, check=False
            )
            (base / "stdout.txt").write_text(done.stdout)
            (base / "stderr.txt").write_text(done.stderr)
            assert done.returncode == 0, done.stderr[-4000:]
    return folder
