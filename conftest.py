"""Fixtures that tests/ and sim/ share."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent

# Every pytest worker has a core; PyTorch's threads would only fight for it. Set before anything imports torch.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Hypothesis draws the same examples in every run of the default suite, so that its outcome says something about the
# change at hand; `make test-slow` draws new ones.
settings.register_profile("repeatable", derandomize=True)
settings.register_profile("random", derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The default build begins with the first test; the others that want it come last, so that no worker waits for it.

    The longest of them, which simulates it, comes before the rest: what is left at the end should be short.
    """
    users = [item for item in items if "built" in getattr(item, "fixturenames", ())]
    users.sort(key=lambda item: item.path.name != "test_accelerator.py")
    first = next((item for item in users if item.path.name == "test_pipeline.py"), None)
    others = [item for item in items if item not in set(users)]
    items[:] = [*([first] if first else []), *others, *(item for item in users if item is not first)]


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder of `bvit-hw build --board pynq-z2`, run once for all pytest workers.

    Its name has in it what shells, make and Tcl take for something else. ``stdout.txt`` and ``stderr.txt`` beside it
    hold what the command printed.
    """
    base = tmp_path_factory.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        base = base.parent
    folder = base / "my out's (1) $x [é]"
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
