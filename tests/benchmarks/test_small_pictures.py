"""The comparison with published accelerators: its arithmetic, its table and its plot."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

import pytest

ROOT = Path(__file__).resolve().parents[2]
_SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture
def script(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(ROOT / "benchmarks"))
    import small_pictures

    return small_pictures


def test_operations_a_second_by_area(script: ModuleType) -> None:
    row = script.Row(network="n", board="b", data="CIFAR-10", accuracy=0.5, accuracy_of="", fps=1000.0, lut=2000.0,
                     products=1_000_000)  # fmt: skip
    assert row.gops_per_klut == pytest.approx(1.0), "2 operations a product, 10^9, 1,000 LUTs"
    assert replace(row, lut=None).gops_per_klut is None and replace(row, fps=None).gops_per_klut is None
    assert script._products("cifar10") > 33_000_000


def test_table_has_a_dash_for_what_is_not_known(script: ModuleType) -> None:
    head, rule, *rows = script.table(script.PUBLISHED)
    assert len(rows) == len(script.PUBLISHED)
    columns = head.count("|")
    assert all(line.count("|") == columns for line in (rule, *rows))
    names = [cell.strip() for cell in head.split("|")]
    resnet = dict(zip(names, (cell.strip() for cell in rows[2].split("|")), strict=True))
    assert (resnet["frames/s"], resnet["latency, µs"], resnet["DSP"]) == ("2,431", "411", "211")
    assert dict(zip(names, (cell.strip() for cell in rows[3].split("|")), strict=True))["frames/s"] == "–"


def test_plot_tells_measured_simulated_and_predicted_apart(script: ModuleType) -> None:
    own = {"board": "kv260", "data": "CIFAR-10", "accuracy": 0.836, "accuracy_of": "", "own": True}
    rows = (
        script.Row(network="a", fps=12_207.0, fps_of="simulated, …", **own),
        script.Row(network="b", fps=400_000.0, fps_of="predicted: …", **own),
        *script.PUBLISHED,
    )
    drawing = ElementTree.fromstring(script.plot(rows))
    circles = drawing.findall(f"{_SVG}circle")
    assert [circle.get("fill") == "#fff" for circle in circles] == [False, True]
    squares = [r for r in drawing.findall(f"{_SVG}rect") if r.get("fill") == "#b35900"]
    with_both = [row for row in script.PUBLISHED if row.fps is not None and row.accuracy is not None]
    assert len(squares) == len(with_both) + 1, "one more in the legend"
    width, height = float(drawing.get("width", 0)), float(drawing.get("height", 0))
    for circle in circles:
        assert 0 < float(circle.get("cx", 0)) < width and 0 < float(circle.get("cy", 0)) < height
