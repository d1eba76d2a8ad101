"""A build of a single engine looked into: faults seeded in its files are located, cycles are those that it counts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from bvit_hw import api
from bvit_hw.errors import ConfigError
from tests import engine_board
from tests.command import bvit, refused

pytestmark = pytest.mark.sim


@pytest.fixture(scope="session")
def made(run_folder: Path) -> Path:
    return engine_board.shared_build(run_folder)


@pytest.fixture
def faulty(made: Path, tmp_path: Path) -> Path:
    """A copy, for a fault."""
    return Path(shutil.copytree(made, tmp_path / "faulty"))


def test_a_sound_build_is_equal_and_its_cycles_are_told(made: Path) -> None:
    found = api.compare(made, jobs=1)
    assert found.equal and found.frames == engine_board.IMAGES and found.streams == 0
    assert found.tensors is not None and found.tensors > 10
    assert found.lines() == [f"RTL and frozen network are equal in {found.tensors} tensors for 4 images"]
    build = api.open_build(made)
    run = api.simulate(build, frames=5, jobs=1)
    assert run.equal_to_frozen and len(run.logits) == 5 and np.array_equal(run.logits[0], run.logits[4])
    assert build.report is not None and run.cycles_per_frame == build.report.cycles_per_frame.simulated
    assert run.cycles_model == build.report.cycles_per_frame.model
    assert all(end - start == run.latency_cycles for start, end in zip(run.starts, run.ends, strict=True))
    hesitant = api.simulate(build, build.images(count=1), stalls=True, jobs=1)
    assert hesitant.equal_to_frozen and hesitant.latency_cycles > run.latency_cycles


def test_a_wrong_line_of_the_rtl_is_located(faulty: Path, tmp_path: Path) -> None:
    """Where the vector unit's comparison is the wrong way round, the first tensor of bits is wrong, none before it."""
    source = faulty / "generate" / "rtl" / "bvit_engine_vector.sv"
    text, right = source.read_text(), ">= COMPARE'($signed(threshold"
    assert text.count(right) == 1
    source.write_text(text.replace(right, right.replace(">=", "<")))
    done = bvit("simulate", "--build", faulty, "--compare", "--count", "1", "--jobs", "1", cwd=tmp_path)
    assert done.returncode == 1, done.stderr
    found = api.compare(faulty, api.open_build(faulty).images(count=1), jobs=1).difference
    assert found is not None
    assert (found.tensor, found.operator, found.kind) == ("b0.hq", "b0.hq", "Binarize")
    assert (found.frame, found.token, found.channel) == (0, 0, 0) and found.found != found.wanted
    assert found.count == found.total and found.command is not None and found.cycle > 0
    assert "first difference: tensor b0.hq of b0.hq (Binarize)" in done.stdout
    assert f"behind command {found.command}, which ended in cycle {found.cycle:,}; 144 of 144 values" in done.stdout


@pytest.mark.slow  # another model, for waveforms
def test_waveforms_are_of_the_nodes_cycles(made: Path, tmp_path: Path) -> None:
    words = ["simulate", "--build", made, "--count", "1", "--jobs", "1", "--trace"]
    done = bvit(*words, "node.vcd", "--operator", "b0.f", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["simulation"]
    text = (tmp_path / "node.vcd").read_text()
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert found["starts"][0] * 10 < times[0] < times[-1] < found["ends"][0] * 10
    assert "u_engine" in text and times[-1] - times[0] < 10 * found["latency_cycles"] // 2
    refused(bvit(*words, "b.vcd", "--operator", "b9", cwd=tmp_path), "--operator b9: no node is called so", "stem")


def test_what_is_not_there_is_told(made: Path, faulty: Path) -> None:
    (faulty / "package" / "model.json").unlink()
    with pytest.raises(ConfigError, match="did not come as far as the step package"):
        api.simulate(faulty)
