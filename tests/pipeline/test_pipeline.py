"""The whole build: its report, its files, its resuming, and what it says about the bitstream."""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.contract.file import load_frozen
from bvit_hw.contract.header import model_hash
from bvit_hw.data import load_dataset
from bvit_hw.execute.frozen import FrozenBinaryViT
from bvit_hw.models import shipped_checkpoint
from bvit_hw.pipeline.engine import MANIFEST
from bvit_hw.pipeline.options import resolve
from bvit_hw.pipeline.plan import make_steps
from bvit_hw.report.model import Report
from bvit_hw.runtime.model_info import ModelInfo
from tests.command import bvit, refused

STEPS = (
    "checkpoint", "freeze", "export", "lower", "fold", "generate", "simulate", "synthesize", "timing", "package",
    "bitstream",
)  # fmt: skip


@pytest.fixture(scope="module")
def report(built: Path) -> Report:
    return Report.read(built / "report.json")


def test_all_steps_but_the_bitstream_ran(report: Report, built: Path) -> None:
    assert [s.name for s in report.steps] == list(STEPS)
    assert {s.status for s in report.steps[:-1]} == {"done"}
    assert report.steps[-1].status == "not run"
    assert report.bitstream.note == "bitstream not built: Vivado not found"
    assert "vivado -mode batch -source build_zynq.tcl" in report.bitstream.command
    assert report.bitstream.note in (built.parent / "stdout.txt").read_text()
    assert not list(built.rglob("*.bit"))


def test_accuracy_holds_through_freezing_and_rtl(report: Report) -> None:
    a = report.accuracy
    assert a.images == 360 and a.rtl_images == 32
    assert a.qat is not None and a.qat >= 0.96
    assert a.frozen >= a.qat - 0.005
    assert a.rtl_equal_to_frozen is True


def test_frozen_accuracy_is_what_the_frozen_model_gives(report: Report, built: Path) -> None:
    graph = load_frozen(built / "freeze/frozen.safetensors")
    assert model_hash(graph) == report.model_hash
    data = load_dataset("digits")
    found = FrozenBinaryViT(graph).predict(data.test_images)
    assert np.mean(found == data.test_labels) == report.accuracy.frozen
    assert np.mean(found[:32] == data.test_labels[:32]) == report.accuracy.rtl


def test_cycles_agree_with_the_model_and_with_the_target(report: Report) -> None:
    cycles = report.cycles_per_frame
    assert cycles.simulated is not None
    assert abs(cycles.simulated - cycles.model) <= 0.02 * cycles.model
    assert cycles.model <= 2000
    assert report.frames_per_second == pytest.approx(100e6 / cycles.simulated)
    assert report.clock_note == "assumed, not timing-closed"
    assert report.latency_cycles is not None and report.latency_cycles > cycles.model
    assert max(row.cycles for row in report.operators) == cycles.model


def test_the_design_fits_the_budget(report: Report) -> None:
    for name, resource in report.resources.items():
        assert resource.model <= resource.budget, name
        assert resource.synthesized is not None and resource.synthesized <= resource.budget, name
    lut = report.resources["lut"]
    assert lut.synthesized == pytest.approx(lut.model, rel=0.15)


def test_timing_is_estimated(report: Report, built: Path) -> None:
    """Every operator has a longest path, and neighbours have paths between them; the shipped folding holds."""
    timing = report.timing
    assert timing is not None and timing.clock_ns == 10.0
    paths = json.loads((built / "timing" / "paths.json").read_text())
    assert {row.name for row in report.operators} <= set(paths["inside"])
    assert {"border.guard", "border.logits", "border.registers"} <= set(paths["inside"])
    assert timing.slowest.ns == max(path["ns"] for path in paths["inside"].values()) > 2
    between = timing.between
    assert between is not None and between.ns == paths["between"][0]["ns"] and len(between.units) >= 2
    assert any(path["units"][0] == "border.guard" for path in paths["between"])
    assert any(path["units"][-1] == "border.logits" for path in paths["between"])
    assert timing.endangers == {} and between.ns <= 10
    assert timing.slowest.ns <= 8, "inside an operator of the shipped folding; 12.4 before attention's rows waited"
    assert 1 <= len(timing.ready_chain) <= 6, "chains are bounded by graph/ready_chains.py"
    assert timing.enable.fan_out > 100 and 0 < timing.control_sets < timing.control_sets_available
    page = (built / "report.html").read_text()
    assert "Timing, estimated before placement" in page and timing.slowest.operator in page


def test_every_operator_was_synthesized(report: Report) -> None:
    assert len(report.operators) > 150
    assert all(row.synthesized is not None for row in report.operators)
    names = {row.name for row in report.operators}
    assert all(edge.source in names and edge.target in names for edge in report.edges)
    assert report.fifo_bits == sum(memory.bits for memory in report.fifo_memory) > 0
    blocks = next(memory for memory in report.fifo_memory if memory.kind == "block RAM")
    assert blocks.model == blocks.synthesized > 0


def test_every_fifo_is_told(report: Report, built: Path) -> None:
    """What sizing measured, and that nobody asked how deep they have to be."""
    assert report.fifo_bits == sum(row.depth * row.width for row in report.fifos)
    assert all(0 <= row.needed - row.held <= 1 for row in report.fifos if row.held > 2)
    assert {row.tight for row in report.fifos} == {None}
    told = json.loads((built / "report.json").read_text())["fifos"]
    assert {row["tight"] for row in told} == {None} and len(told) == len(report.fifos)
    page = (built / "report.html").read_text()
    assert page.count("<td>not tried</td>") == sum(row.depth > 2 for row in report.fifos) > 0


def test_the_page_holds_itself(report: Report, built: Path) -> None:
    page = (built / "report.html").read_text()
    assert "http://" not in page.replace("http://www.w3.org", "") and "https://" not in page
    assert "<script" not in page
    for row in report.operators:
        assert f">{row.name}<" in page
    assert "bitstream not built: Vivado not found" in page


def test_the_package_is_whole(report: Report, built: Path) -> None:
    package = built / "package"
    files = [line.removeprefix("rtl/") for line in (built / "generate/files.f").read_text().split()]
    for name in files:
        assert (package / "ip" / name).is_file()
        assert name in (package / "ip/package_ip.tcl").read_text()
    vendor_cells = {"LUT6.sv", "LUT6_2.sv", "CARRY4.sv"}
    assert not vendor_cells & ({f.name for f in package.rglob("*")} | set(files))
    assert not any(name in (package / "ip/package_ip.tcl").read_text() for name in vendor_cells)
    simulated = (built / "generate/sim_files.f").read_text().split()
    assert all((built / "generate" / name).is_file() for name in simulated)
    assert simulated[len(vendor_cells) :] == [f"rtl/{name}" for name in files]
    assert set(simulated[: len(vendor_cells)]) == {f"sim/{name}" for name in vendor_cells}
    texts = "".join((package / "ip" / name).read_text() for name in files)
    for memory in (package / "ip/mem").iterdir():
        assert f'"{memory.name}"' in texts
    info = ModelInfo.read(package / "model.json")
    assert info.model_hash == report.model_hash and info.frame_bytes == 3072
    with np.load(package / "test_images.npz", allow_pickle=False) as archive:
        assert archive["images"].shape == (32, 32, 32, 3) and archive["logits"].shape == (32, 10)
    assert (package / "first_inference.ipynb").is_file()
    assert (package / "bvit_hw_runtime/driver.py").is_file()


def test_the_manifest_names_every_file(built: Path) -> None:
    steps = json.loads((built / MANIFEST).read_text())["steps"]
    for name in STEPS[:-1]:
        on_disk = {str(f.relative_to(built / name)) for f in (built / name).rglob("*") if f.is_file()}
        assert set(steps[name]["files"]) == on_disk


def test_nothing_changed_takes_under_a_minute(built: Path, tmp_path: Path) -> None:
    start = time.monotonic()
    done = bvit("build", "--board", "pynq-z2", "--out", built, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert time.monotonic() - start < 60
    statuses = {s.name: s.status for s in Report.read(built / "report.json").steps}
    assert {statuses[name] for name in STEPS[:-1]} == {"cached"}


def test_another_board_is_refused_in_the_same_folder(built: Path, tmp_path: Path) -> None:
    done = bvit("build", "--board", "pynq-z1", "--out", built, cwd=tmp_path)
    refused(done, "holds another build", "'pynq-z2'", "'pynq-z1'")


def test_a_rate_that_cannot_be_met_says_what_can(built: Path, tmp_path: Path) -> None:
    done = bvit("build", "--board", "pynq-z2", "--out", tmp_path / "fast", "--target-fps", 5e6, cwd=tmp_path)
    refused(done, "5e+06 frames a second", "the best on pynq-z2 is", "limited by")


def test_the_checkpoint_of_the_build_is_the_shipped_one(built: Path) -> None:
    assert (built / "checkpoint/checkpoint.safetensors").read_bytes() == shipped_checkpoint().read_bytes()


def test_a_missing_compiler_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("BVIT_HW_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    refused(bvit("build", "--board", "pynq-z2", "--out", tmp_path / "out", cwd=tmp_path), "g++", "make", "apt install")
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]


@pytest.mark.parametrize(
    ("file", "name"),
    [("build/train/cats/model.safetensors", "cats"), ("my net.v2.safetensors", "my net.v2"),
     ("runs/b/best.safetensors", "best")],
)  # fmt: skip
def test_a_network_is_called_as_its_user_called_it(tmp_path: Path, file: str, name: str) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(shipped_checkpoint(), path)
    options = resolve(
        board="pynq-z2", preset_name=None, checkpoint=path, data="digits", clock_mhz=None, target_fps=None,
        simulated_images=1, jobs=1,
    )  # fmt: skip
    assert options.model_name == name


def test_the_code_that_a_step_depends_on_is_there() -> None:
    """A path that was renamed would let a changed step pass as up to date."""
    options = resolve(
        board="pynq-z2", preset_name=None, checkpoint=None, data=None, clock_mhz=None, target_fps=None,
        simulated_images=1, jobs=1,
    )  # fmt: skip
    paths = [path for step in make_steps(options) for path in step.code]
    assert len(paths) > 20 and [path for path in paths if not path.exists()] == []


def test_the_name_reaches_package_and_report(built: Path) -> None:
    assert json.loads((built / "package/model.json").read_text())["name"] == "tiny-digits"
    report = json.loads((built / "report.json").read_text())
    assert report["model"] == "tiny-digits"
    assert report["latency_us"] == pytest.approx(report["latency_cycles"] / report["clock_mhz"])
