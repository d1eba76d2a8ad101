"""Two builds side by side, from their reports."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from bvit_hw import api
from bvit_hw.errors import OutputError
from bvit_hw.report.model import (
    Accuracy,
    Bitstream,
    Cycles,
    FifoRow,
    OperatorRow,
    Report,
    Resource,
)
from bvit_hw.report.page import write_page
from tests.command import bvit, refused


def write_report(folder: Path, *, cycles: int = 1000, simd: int = 4, depth: int = 33, lut: float = 2000.0) -> Path:
    """A build's folder with nothing but its report."""
    operator = OperatorRow(
        name="b0.q_acc", op="BinaryMVAU", group="b0", folding={"simd": simd, "pe": 2}, cycles=cycles,
        predicted={"lut": lut, "ff": 1.0, "bram18": 0.0, "dsp": 0.0}, synthesized=None,
    )  # fmt: skip
    accuracy = Accuracy(
        data="digits", qat=0.99, frozen=0.98, rtl=None, images=100, rtl_images=0, rtl_equal_to_frozen=None
    )
    report = Report(
        board="pynq-z2", board_title="PYNQ-Z2", part="xc7z020", clock_mhz=100.0, clock_note="assumed", model="small",
        model_hash="ab" * 32, cycles_per_frame=Cycles(model=cycles, simulated=None), frames_per_second=1e8 / cycles,
        latency_cycles=None, accuracy=accuracy, fifo_bits=100, steps=[], edges=[], versions={},
        resources={"lut": Resource(model=lut, synthesized=None, budget=37240.0, available=53200.0)},
        fifos=[FifoRow(name="b0.x.fifo", memory="LUT RAM", depth=depth, width=8, held=2, needed=2)],
        operators=[operator], bitstream=Bitstream(built=False, note="not built", command=""),
    )  # fmt: skip
    folder.mkdir()
    (folder / "manifest.json").write_text("{}")
    report.write(folder / "report.json")
    return folder


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    return write_report(tmp_path / "a"), write_report(tmp_path / "b", cycles=500, simd=8, depth=65, lut=3000.0)


def test_what_differs_is_told_with_its_ratio(two: tuple[Path, Path]) -> None:
    found = api.diff(*two)
    rows = {f"{row.section}: {row.name}": row for row in found.differing}
    assert set(rows) == {
        "build: limited by", "rate: cycles a frame, model", "rate: frames/s", "area: lut, model", "operator: b0.q_acc",
        "fifo: b0.x.fifo",
    }  # fmt: skip
    assert rows["rate: frames/s"].ratio == 2.0 and rows["area: lut, model"].ratio == 1.5
    operator = rows["operator: b0.q_acc"]
    assert (operator.a, operator.b) == ("simd=4 pe=2, 1,000 cycles", "simd=8 pe=2, 500 cycles")
    assert operator.ratio is None
    assert (rows["fifo: b0.x.fifo"].a, rows["fifo: b0.x.fifo"].b) == ("33 x 8 LUT RAM", "65 x 8 LUT RAM")
    assert not api.diff(two[0], two[0]).differing


def test_the_command_prints_what_differs_and_all_as_json(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = bvit("diff", "a", "b", cwd=tmp_path)
    assert done.returncode == 0 and "rate: frames/s" in done.stdout and "+100.0 %" in done.stdout
    assert "100,000" in done.stdout and "200,000" in done.stdout
    assert "build: board" not in done.stdout and "6 of " in done.stdout
    assert "build: board" in bvit("diff", "a", "b", "--all", cwd=tmp_path).stdout
    assert bvit("diff", "a", "a", cwd=tmp_path).stdout.startswith("0 of ")
    found = json.loads(bvit("diff", "a", "b", "--json", cwd=tmp_path).stdout)
    assert (found["a"], found["b"]) == ("a", "b") and len(found["rows"]) == len(api.diff(*two).rows)
    assert {"section": "rate", "name": "latency, cycles", "a": None, "b": None, "ratio": None} in found["rows"]


def test_what_has_no_report_is_told(two: tuple[Path, Path], tmp_path: Path) -> None:
    refused(bvit("diff", "a", "c", cwd=tmp_path), "c: holds no build")
    (tmp_path / "b" / "report.json").unlink()
    with pytest.raises(OutputError, match="has no report"):
        api.diff(*two)
    (tmp_path / "a" / "report.json").write_text('{"board": 1}')
    with pytest.raises(OutputError, match=r"report\.json: cannot be read"):
        api.diff(two[0], two[0])


def test_the_report_names_the_graphs_that_netron_shows(tmp_path: Path) -> None:
    folder = write_report(tmp_path / "a")
    report = api.open_build(folder).report
    assert report is not None and not report.graphs
    more = report.model_copy(update={"graphs": {"export/model.onnx": "the network as QONNX"}})
    write_page(more, folder / "report.html")
    text = (folder / "report.html").read_text()
    assert 'Netron: <a href="export/model.onnx">export/model.onnx</a> (the network as QONNX).' in text
    more.write(folder / "report.json")
    assert Report.read(folder / "report.json").graphs == more.graphs
