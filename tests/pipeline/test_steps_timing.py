"""The step `timing`: what it says of the units that it is given, and of a stitched graph's streams."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bvit_hw.boards import load_board
from bvit_hw.flows.sta import Path as Way
from bvit_hw.flows.sta import UnitTiming
from bvit_hw.pipeline.steps import timing
from bvit_hw.report.timing import Timing

BOARD = load_board("pynq-z2")


def unit(ns: float, **paths: float) -> UnitTiming:
    """A unit of one stream in, one out, whose borders are registers; ``ns`` is its longest path inside."""
    return UnitTiming(
        inputs=("s_axis.0",), outputs=("m_axis.0",), inside=Way(ns=ns, levels=3, begin="count_q", end="sum_q"),
        arrive={name: Way(ns=paths.get("out", 0.5), levels=0) for name in ("m_axis.0.valid", "s_axis.0.ready")},
        need={name: Way(ns=paths.get("into", 1.0), levels=1) for name in ("s_axis.0.valid", "m_axis.0.ready")},
        enable="go", enable_fan_out=int(ns * 10), control_sets=2,
    )  # fmt: skip


UNITS = {"border.guard": unit(2.0), "fast": unit(4.0), "slow": unit(12.5), "late": unit(3.0, into=9.75),
         "border.logits": unit(1.0)}  # fmt: skip


def ran(tmp_path: Path, clock_mhz: float) -> dict[str, Any]:
    """Results of the step for a row of these units; "again" is of the shape of "fast"."""
    earlier, own = tmp_path / "synthesize", tmp_path / "timing"
    earlier.mkdir()
    own.mkdir()
    names = ("fast", "slow", "again", "late")
    timed_as = {name: name for name in UNITS} | {"again": "fast"}
    written = {"units": {name: each.as_json() for name, each in UNITS.items()}, "timed_as": timed_as}
    (earlier / timing.UNITS_FILE).write_text(json.dumps(written))
    nodes = [None, *(SimpleNamespace(name=name) for name in names), None]
    edges = [
        SimpleNamespace(source=a, source_port=0, sink=b, sink_port=0) for a, b in itertools.pairwise(nodes)
    ]
    build = SimpleNamespace(
        stitched=SimpleNamespace(edges=lambda: edges), options=SimpleNamespace(board=BOARD, clock_mhz=clock_mhz)
    )
    context = SimpleNamespace(folder=own, earlier={"synthesize": earlier})
    return dict(timing.run(context, build))  # type: ignore[arg-type]


def test_what_endangers_the_clock_is_named(tmp_path: Path) -> None:
    results = ran(tmp_path, 100.0)
    found = Timing(**results)
    assert found.clock_ns == 10.0 and found.slowest.operator == "slow" and found.slowest.ns == 12.5
    assert found.between is not None and (found.between.ns, found.between.units) == (10.25, ["again", "late"])
    assert found.endangers == {"slow": 12.5, "late": 10.25}
    assert found.enable.operator == "slow" and found.enable.fan_out == 125
    assert found.control_sets == 12 and found.control_sets_available == 53_200 // 4
    assert found.verdict == "endanger the clock of 10 ns, by estimate: slow (12.5 ns), late (10.2 ns)"
    assert "slowest between operators: 10.2 ns, 1 cells: again -> late" in found.lines
    paths = json.loads((tmp_path / "timing" / "paths.json").read_text())
    assert set(paths["inside"]) == {*UNITS, "again"} and paths["inside"]["again"]["ns"] == 4.0
    # guard, four operators, logits: five streams, each with valid on and ready back
    assert len(paths["between"]) == 10 and paths["between"][0]["units"] == ["again", "late"]


def test_a_slow_clock_is_in_no_danger(tmp_path: Path) -> None:
    found = Timing(**ran(tmp_path, 50.0))
    assert not found.endangers and found.verdict == "no path is estimated to take longer than the clock's 20 ns"


@pytest.mark.parametrize("name", ["pynq-z2", "u250", "ulx3s-85f"])
def test_every_boards_target_knows_delays(name: str) -> None:
    assert timing.has_delays(SimpleNamespace(board=load_board(name)))  # type: ignore[arg-type]
