"""Further workers of a search: what their processes import."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: somebody's script, which does not ask for its name
SCRIPT = """
import multiprocessing

from bvit_hw.explore.settings import start

print("script", flush=True)
workers = [multiprocessing.get_context("spawn").Process(target=print, args=(f"worker {n}",)) for n in (1, 2)]
start(workers)
for worker in workers:
    worker.join()
print("codes", [worker.exitcode for worker in workers], __name__)
"""


def test_a_script_is_not_run_again_in_its_workers(tmp_path: Path) -> None:
    file = tmp_path / "script.py"
    file.write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(file)],
        env={"PYTHONPATH": str(ROOT), "PATH": ""}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    lines = done.stdout.splitlines()
    assert sorted(lines) == ["codes [0, 0] __main__", "script", "worker 1", "worker 2"], done.stderr
    assert done.stderr == ""
