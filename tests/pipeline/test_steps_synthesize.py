"""The step `synthesize`: of a large core an operator of each shape is counted."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bvit_hw.flows.sta import UnitTiming
from bvit_hw.flows.yosys import Analysed
from bvit_hw.ops.base import Resources
from bvit_hw.pipeline.steps import synthesize

SHAPES = {"a": "wide", "b": "narrow", "c": "wide", "d": "wide"}


@pytest.mark.parametrize("large", [False, True])
def test_shapes_of_a_large_core(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, large: bool) -> None:
    asked: list[str] = []

    def count(jobs: list[Any], **_: object) -> dict[str, Analysed]:
        asked.extend(job.name for job in jobs)
        return {
            job.name: Analysed(resources=Resources(lut=ord(job.name[0])), timing=UnitTiming(enable=job.name))
            for job in jobs
        }

    monkeypatch.setattr(synthesize, "is_large", lambda graph: large)
    monkeypatch.setattr(synthesize, "job_of", lambda name, op, params: SimpleNamespace(name=name))
    monkeypatch.setattr(synthesize, "border_jobs", lambda border, model_hash: [SimpleNamespace(name="z.guard")])
    monkeypatch.setattr(synthesize, "analyse", count)
    nodes = [SimpleNamespace(name=name, op=op, params={}) for name, op in SHAPES.items()]
    build = SimpleNamespace(
        stitched=SimpleNamespace(nodes=nodes, resources=Resources),
        border=SimpleNamespace(resources=Resources(lut=5)),
        options=SimpleNamespace(board=SimpleNamespace(target=None), jobs=1),
    )
    context = SimpleNamespace(folder=tmp_path, results={"freeze": {"model_hash": "0"}}, progress=None)
    found = synthesize.run(context, build)  # type: ignore[arg-type]
    counts = {name: entry["lut"] for name, entry in json.loads((tmp_path / "resources.json").read_text()).items()}
    assert set(counts) == {*SHAPES, "z.guard"} and found["total"]["lut"] == sum(counts.values())
    units = json.loads((tmp_path / "units.json").read_text())
    assert set(units["timed_as"]) == set(counts) and set(units["units"]) == set(asked)
    assert all(units["units"][name]["enable"] == name for name in asked)
    if large:
        assert units["timed_as"]["d"] == "a"
        assert asked == ["a", "b", "z.guard"] and found["shapes"] == 2
        assert counts["c"] == counts["d"] == counts["a"] == ord("a") and counts["b"] == ord("b")
    else:
        assert asked == [*SHAPES, "z.guard"] and found["shapes"] is None and counts["d"] == ord("d")
