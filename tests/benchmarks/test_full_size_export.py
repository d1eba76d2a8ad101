"""The paper's network at full size: QONNX file, its execution, memory (slow)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
@pytest.mark.parametrize("preset", ["small-224", "small-224-some-fp"])
def test_qonnx_equals_frozen_at_every_named_tensor(preset: str) -> None:
    """In a process of its own, so that the peak of its memory is its own."""
    command = [sys.executable, "-W", "ignore", str(ROOT / "benchmarks/full_size_export.py"), "--preset", preset]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout + done.stderr
    measured = json.loads(done.stdout)
    assert measured["different"] == [] and measured["tensors_compared"] > 500
    assert measured["file_mb"] < 40
    assert measured["peak_gb"] < 12
