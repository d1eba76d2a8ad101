"""A large core looked into, part by part: beats, waveforms and cycles are those of the core as a whole."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from bvit_hw.errors import ToolError
from bvit_hw.flows.observed_parts import ObservedParts
from bvit_hw.flows.observed_sim import ObservedSimulator, Trace
from bvit_hw.freeze.random_frozen import random_images
from bvit_hw.graph.hw_graph import HwGraph
from tests.small_build import SMALL, write_small_build

pytestmark = pytest.mark.sim
IMAGES = random_images(SMALL, 2)
#: source and sink hesitate, so that what crosses a border waits
HOW = {"source_chance": 150, "sink_chance": 60, "seed": 3, "jobs": 1}


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HwGraph]:
    folder = tmp_path_factory.mktemp("parts") / "build"
    return folder / "generate", write_small_build(folder)


def test_every_part_shows_what_the_whole_core_shows(build: tuple[Path, HwGraph], tmp_path: Path) -> None:
    own, graph = build
    whole = ObservedSimulator(own=own, **HOW).observe(graph, IMAGES, frames=3, record=True)
    assert whole.run is not None
    seen: set[str] = set()
    with ObservedParts(own=own, **HOW).recorded(graph, IMAGES, 3) as recording:
        assert len(recording.parts) == 2 and recording.run is not None and not recording.stuck
        assert (recording.run.starts, recording.run.ends) == (whole.run.starts, whole.run.ends)
        for number in range(len(recording.parts)):
            beats = recording.beats(number)
            assert set(beats) == {edge.tensor for edge in recording.whole(number).edges()}
            for tensor, found in beats.items():
                assert found.words == whole.beats[tensor].words, tensor
                assert np.array_equal(found.cycles, whole.beats[tensor].cycles), tensor
            seen |= set(beats)
        assert seen == set(whole.beats)

        # A waveform bears the names of the whole.
        number = next(n for n in range(len(recording.parts)) if "b0.f" in recording.parts[n].names.values())
        path = tmp_path / "part.vcd"
        recording.trace(number, Trace(path=path, first=1000, end=1100, operators=("b0.f",)))
        text = path.read_text()
        assert "u_b0_f " in text
        times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
        assert times[0] == 10_000 and times[-1] in (10_990, 10_995)

        # What is not as it was in the core is noticed: of a part that takes another beat than it took.
        border = recording.folder / f"border{number}.beats"
        data = bytearray(border.read_bytes())
        data[: len(data) // 2] = bytes(byte ^ 1 for byte in data[: len(data) // 2])
        border.write_bytes(data)
        with pytest.raises(ToolError, match="the part alone does something else than in the core"):
            recording.beats(number)


def test_a_builds_own_memories_are_those_of_the_parts(build: tuple[Path, HwGraph], tmp_path: Path) -> None:
    own, graph = build
    faulty = Path(shutil.copytree(own, tmp_path / "faulty"))
    memory = faulty / "mem" / "b0_f_coef.mem"
    words = memory.read_text().split()
    words[2] = f"{int(words[2], 16) ^ 0x20:0{len(words[2])}x}"
    memory.write_text("\n".join(words) + "\n")
    with (
        ObservedParts(own=own, jobs=1).recorded(graph, IMAGES, 1) as right,
        ObservedParts(own=faulty, jobs=1).recorded(graph, IMAGES, 1) as wrong,
    ):
        number = next(n for n in range(len(right.parts)) if "b0.f" in right.parts[n].names.values())
        assert right.beats(number)["b0.f"].words != wrong.beats(number)["b0.f"].words
