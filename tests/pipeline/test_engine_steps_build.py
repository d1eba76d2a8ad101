"""`bvit-hw build --architecture engine`: its report, its package, its resuming; and which architecture `auto` takes."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import runtime
from bvit_hw.boards import load_board, read_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.programme import load_programme
from bvit_hw.errors import BoardError, ConfigError, LimitError
from bvit_hw.models import shipped_checkpoint
from bvit_hw.pipeline.architecture import choose_architecture
from bvit_hw.pipeline.engine_steps.simulate import MOST_CYCLES, frames_that_fit
from bvit_hw.pipeline.options import resolve
from bvit_hw.report.model import Report
from tests import engine_board
from tests.command import bvit, refused
from tests.emulators.engine_stand_in import CONFIG
from tests.faults import refusal
from tests.run_notebook_of import execute


@pytest.fixture(scope="session")
def built_engine(run_folder: Path) -> Path:
    return engine_board.shared_build(run_folder)


@pytest.fixture
def package(built_engine: Path, tmp_path: Path) -> Path:
    """A copy of its own: a device is one process's at a time, and Jupyter writes beside a notebook."""
    return Path(shutil.copytree(built_engine / "package", tmp_path / "package", ignore=shutil.ignore_patterns("ip")))


def test_the_report_says_what_was_simulated(built_engine: Path) -> None:
    report = Report.read(built_engine / "report.json")
    steps = {step.name: step.status for step in report.steps}
    assert steps.pop("bitstream") == "not run" and steps.pop("synthesize") == "left out"
    assert steps.pop("timing") == "left out"
    assert set(steps) == {"checkpoint", "freeze", "export", "compile", "generate", "simulate", "package"}
    assert set(steps.values()) == {"done"}
    assert report.architecture == "engine" and report.architecture_note == "asked for by --architecture engine"
    assert report.accuracy.rtl_equal_to_frozen is True and report.accuracy.rtl_images == 4
    assert report.accuracy.rtl == report.accuracy.frozen
    cycles, engine = report.cycles_per_frame, report.engine
    assert engine is not None and cycles.simulated is not None and engine.cycles_hesitant is not None
    assert abs(cycles.simulated - cycles.model) <= 0.02 * cycles.model
    assert cycles.model < engine.cycles_half_bandwidth < 2 * cycles.model
    assert sum(part.takes for part in engine.parts) == cycles.model
    assert engine.waiting is not None and 0 < sum(engine.waiting.values()) <= cycles.simulated
    assert engine.cycles_hesitant > cycles.simulated and engine.note == ""
    assert engine.numbers["tokens"] == CONFIG.tokens and engine.identity == CONFIG.identity
    assert report.bitstream.note == "bitstream not built: Vivado not found"
    lut, bram = report.resources["lut"], report.resources["bram18"]
    assert lut.model is not None and lut.model > 5000 and bram.model
    page, told = (built_engine / "report.html").read_text(), (built_engine.parent / "stdout.txt").read_text()
    assert "Where a frame's cycles go" in page and "http://" not in page.replace("http://www.w3.org", "")
    assert "Pipeline" not in page
    assert "engine: asked for by --architecture engine" in told and "waited for DRAM" in told


def test_the_package_is_whole(built_engine: Path, tmp_path: Path) -> None:
    package = built_engine / "package"
    programme = load_programme(package / "network.prog", CONFIG)
    assert programme.facts["network"] == "byte-beats"
    assert "| 0x68 | CLOCK | r |" in (package / "registers.md").read_text()
    script = (package / "ip" / "package_ip.tcl").read_text()
    for line in (built_engine / "generate/files.f").read_text().split():
        name = line.removeprefix("rtl/")
        assert (package / "ip" / name).is_file() and name in script
    archive = built_engine / "bvit_hw-small.zip"
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(tmp_path)
    whole = tmp_path / archive.stem
    assert runtime.check_files(whole) > 20
    assert (whole / "network.prog").read_bytes() == (package / "network.prog").read_bytes()
    assert (whole / "two_networks.ipynb").is_file() and "`network.prog`" in (whole / "README.md").read_text()


def test_a_second_build_does_nothing_again(built_engine: Path, tmp_path: Path) -> None:
    shutil.copytree(built_engine.parent, tmp_path / "again")
    words = ("--architecture", "engine", "--skip", "synthesize")
    done = engine_board.build(tmp_path / "again", *words)
    assert done.returncode == 0, done.stderr
    steps = json.loads((tmp_path / "again/out/report.json").read_text())["steps"]
    assert {step["status"] for step in steps if step["name"] not in ("bitstream", "synthesize", "timing")} == {"cached"}
    # A folder is one architecture's.
    refused(engine_board.build(tmp_path / "again", "--architecture", "streaming"), "architecture 'engine'")


def test_self_test_and_run(built_engine: Path, package: Path, tmp_path: Path) -> None:
    found = runtime.self_test(package, "sim")
    assert found.images == 4 and found.simulated
    shutil.copytree(package, tmp_path / "build" / "package")
    pictures = built_engine.parent / "images.npz"
    done = bvit("run", "--build", tmp_path / "build", "--device", "sim", "--images", pictures, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "simulated device: 4 images in" in done.stdout and "of 4 as labelled" in done.stdout
    told = bvit("run", "--build", tmp_path / "build", "--images", pictures, "--programme", "no.prog", cwd=tmp_path)
    refused(told, "no.prog: cannot be read")


def test_the_notebook_of_two_networks(package: Path) -> None:
    text, pictures = execute(package / "two_networks.ipynb", package)
    assert "byte-beats again: all logits of 4 images as expected" in text and pictures == 1
    assert "the units worked" in text and "  b0 " in text


@pytest.mark.slow
@pytest.mark.parametrize("name", ["first_inference", "accuracy", "latency_throughput", "look_inside", "power"])
def test_the_other_notebooks_run_unchanged(name: str, package: Path) -> None:
    text, _ = execute(package / f"{name}.ipynb", package)
    assert "simulated device, built for small" in text


@pytest.mark.slow
def test_units_are_counted(built_engine: Path, tmp_path: Path) -> None:
    shutil.copytree(built_engine.parent, tmp_path / "again")
    done = engine_board.build(tmp_path / "again", "--architecture", "engine")
    assert done.returncode == 0, done.stderr
    report = Report.read(tmp_path / "again/out/report.json")
    assert report.engine is not None and report.resources["lut"].synthesized
    units = {unit.name: unit for unit in report.engine.units}
    assert units["bvit_engine_matrix"].lut > 500 and units["memories"].bram18 > 0
    assert sum(unit.lut for unit in units.values()) == pytest.approx(report.resources["lut"].synthesized)


def test_auto_takes_streaming_where_the_network_fits() -> None:
    board, checkpoint = load_board("pynq-z2"), shipped_checkpoint()
    chosen, note = choose_architecture("auto", board, checkpoint, ())
    assert chosen == "streaming" and "fits as a streaming accelerator" in note
    tiny = board.model_copy(update={"budget": board.budget.model_copy(update={"lut": 0.01})})
    chosen, note = choose_architecture("auto", tiny, checkpoint, ())
    assert chosen == "engine" and "does not fit as a streaming accelerator" in note and "lut" in note
    assert choose_architecture("auto", tiny, checkpoint, ("--target-fps",))[0] == "streaming"
    without = tiny.model_copy(update={"engine": None})
    assert choose_architecture("auto", without, checkpoint, ()) == ("streaming", "")
    assert choose_architecture("streaming", tiny, checkpoint, ())[0] == "streaming"


def test_what_an_engine_is_refused_for(tmp_path: Path) -> None:
    request = {
        "preset_name": None, "checkpoint": shipped_checkpoint(), "data": "digits", "clock_mhz": None,
        "target_fps": None, "simulated_images": 1, "jobs": 1, "architecture": "engine",
    }  # fmt: skip
    assert "no table [engine]" in refusal(lambda: resolve(**request, board="u250"), BoardError)  # type: ignore[arg-type]
    engine = load_board("pynq-z2").engine
    card = load_board("u250").model_copy(update={"engine": engine})
    told = refusal(lambda: choose_architecture("engine", card, shipped_checkpoint(), ()), BoardError)
    assert "for boards with a Zynq; family 'alveo'" in told
    assert choose_architecture("auto", card, shipped_checkpoint(), ()) == ("streaming", "")
    told = refusal(lambda: resolve(**(request | {"target_fps": 9.0}), board="pynq-z2"), ConfigError)  # type: ignore[arg-type]
    assert "--target-fps" in told
    told = refusal(lambda: resolve(**(request | {"architecture": "other"}), board="pynq-z2"), ConfigError)  # type: ignore[arg-type]
    assert "allowed: auto, streaming, engine" in told


def test_a_network_beyond_the_engine_ends_the_build_with_the_limit(tmp_path: Path) -> None:
    path = engine_board.write_board(tmp_path)
    path.write_text(path.read_text().replace("values = 1024", "values = 16"))
    assert engine_of(read_board(path)).values == 16
    words = ["build", "--board", path, *engine_board.write_network(tmp_path), "--architecture", "engine", "--quiet"]
    done = bvit(*words, "--skip", "export", "--out", tmp_path / "out", cwd=tmp_path)
    refused(done, "the memory values has 16 words")
    assert issubclass(LimitError, Exception)


def test_as_many_frames_are_simulated_as_the_time_allows() -> None:
    assert frames_that_fit(32, 8, 1000) == 8 and frames_that_fit(4, 8, 1000) == 4
    assert frames_that_fit(32, 100, MOST_CYCLES // 3) == 3 and frames_that_fit(32, 100, 2 * MOST_CYCLES) == 1


def test_images_are_those_of_the_build(built_engine: Path) -> None:
    """The package's test images with the frozen network's logits, recomputed by the driver's own reference."""
    images, labels, logits = runtime.expected_results(built_engine / "package")
    reference = runtime.Reference(built_engine / "package" / "frozen.safetensors")
    assert labels is not None and np.array_equal(reference.logits_int(images), logits)
