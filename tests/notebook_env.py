"""The notebooks' own environment (pynq, NumPy 1), made once and kept beside the other caches."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bvit_hw.flows.cache import cache_folder

REQUIREMENTS = Path(__file__).resolve().parents[1] / "boards" / "notebooks" / "requirements.txt"


def notebook_python() -> Path:
    """The interpreter of an environment with ``requirements.txt``; skips the test, visibly, where none can be made."""
    key = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()[:16]
    folder = cache_folder() / f"notebooks-{key}"
    python = folder / "bin" / "python"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / f"notebooks-{key}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "complete").is_file():
            shutil.rmtree(folder, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
            pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]
            done = subprocess.run([*pip, str(REQUIREMENTS)], capture_output=True, text=True, check=False)
            if done.returncode:
                shutil.rmtree(folder, ignore_errors=True)
                lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
                pytest.skip(f"no environment with pynq can be made here: {lines[-1]}")
            (folder / "complete").touch()
    return python


def notebook_environment(*paths: Path) -> dict[str, str]:
    """Environment variables in which that interpreter sees ``paths`` and nothing of this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "COCOTB", "PYTEST", "BVIT_HW_DEVICE"))}
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, paths)), "OMP_NUM_THREADS": "1"}
