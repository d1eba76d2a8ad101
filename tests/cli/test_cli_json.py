"""What is printed as a table can be had as JSON, with the figures whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from bvit_hw.boards import load_board
from bvit_hw.doctor import examine
from bvit_hw.runtime.command import Run
from bvit_hw.runtime.pictures import Pictures
from tests.command import bvit


def test_boards(tmp_path: Path) -> None:
    rows = {row["board"]: row for row in json.loads(bvit("boards", "--json", cwd=tmp_path).stdout)}
    board = load_board("pynq-z2")
    assert rows["pynq-z2"]["part"] == board.part and rows["pynq-z2"]["limits"]["lut"] == board.limits.lut
    assert len(rows) > 8


def test_doctor(tmp_path: Path) -> None:
    done = bvit("doctor", "--json", cwd=tmp_path)
    rows = {row["tool"]: row for row in json.loads(done.stdout)}
    findings = {finding.tool.name: finding for finding in examine()}
    assert set(rows) == set(findings)
    assert all(rows[name]["version"] == finding.version for name, finding in findings.items())
    missing = any(row["required"] and row["version"] is None for row in rows.values())
    assert done.returncode == (2 if missing else 0)


def test_a_run() -> None:
    pictures = Pictures(["a.png", "b.png"], [np.zeros((2, 2, 3), np.uint8)] * 2, labels=np.array([1, 0]))
    run = Run(
        pictures=pictures, logits=np.array([[3, -5], [1, 8]], np.int32), cycles=2048, busy_cycles=1024,
        latency_cycles=0, seconds=0.5, clock_mhz=100.0, simulated=True, class_names=("cat", "dog"),
    )  # fmt: skip
    found = json.loads(json.dumps(run.as_json()))
    assert found["pictures"] == [
        {"name": "a.png", "class": "cat", "logits": [3, -5], "label": "dog"},
        {"name": "b.png", "class": "dog", "logits": [1, 8], "label": "cat"},
    ]
    assert (found["cycles"], found["cycles_between_frames"], found["latency_cycles"]) == (2048, 1024, None)
