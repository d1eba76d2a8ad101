"""Executes a notebook in the notebooks' own environment, and says what came out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from tests.notebook_env import notebook_environment, notebook_python

RUNNER = Path(__file__).with_name("run_notebook.py")


def execute(notebook: Path, package: Path, settings: Mapping[str, str] | None = None) -> tuple[str, int]:
    """Execute in the folder ``package``; returns all that was printed, and how many pictures were drawn."""
    result = package / "executed.ipynb"
    done = subprocess.run(
        [str(notebook_python()), str(RUNNER), str(notebook), str(result)],
        env=notebook_environment() | (settings or {}),
        cwd=package,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    cells = json.loads(result.read_text())["cells"]
    outputs = [o for c in cells for o in c.get("outputs", [])]
    assert not [o for o in outputs if o.get("name") == "stderr"], outputs
    assert all(c["execution_count"] for c in cells if c["cell_type"] == "code")
    pictures = [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]
    assert all(len(p) > 4000 for p in pictures)
    return "".join("".join(o["text"]) for o in outputs if "text" in o), len(pictures)
