"""A core looked into: beats of its streams, waveforms, and faults that were seeded in a build's own files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bvit_hw.errors import ConfigError, LoweringError, ToolError
from bvit_hw.flows import observed_sim
from bvit_hw.flows.observed_sim import ObservedSimulator, Trace
from bvit_hw.freeze.random_frozen import random_images
from bvit_hw.graph.hw_graph import HwGraph
from tests.small_build import SMALL, write_small_build

pytestmark = pytest.mark.sim
IMAGES = random_images(SMALL, 2)


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, HwGraph]:
    folder = tmp_path_factory.mktemp("observed") / "build"
    return folder / "generate", write_small_build(folder)


def test_every_stream_carries_what_its_golden_function_gives(build: tuple[Path, HwGraph]) -> None:
    own, graph = build
    seen = ObservedSimulator(own=own, jobs=1).observe(graph, IMAGES, frames=2, record=True)
    assert seen.run is not None and not seen.stuck
    golden = [graph.execute(image.reshape(1, -1)) for image in IMAGES]
    edges = graph.edges()
    assert set(seen.beats) == {edge.tensor for edge in edges} and len(edges) > 70
    for edge in edges:
        found = seen.beats[edge.tensor].values(edge.source_stream).reshape(-1)
        assert np.array_equal(found, np.concatenate([g[edge.tensor].reshape(-1) for g in golden])), edge.tensor
        assert np.all(np.diff(seen.beats[edge.tensor].cycles) > 0)
    # The harness counts cycles as the recorder does.
    logits = seen.beats[graph.output].cycles
    assert tuple(logits[SMALL.classes - 1 :: SMALL.classes].tolist()) == seen.run.ends
    assert seen.beats[graph.input].cycles[0] == seen.run.starts[0]


def test_waveforms_are_of_the_window_and_the_operator(build: tuple[Path, HwGraph], tmp_path: Path) -> None:
    own, graph = build
    path = tmp_path / "part.vcd"
    trace = Trace(path=path, first=100, end=140, operators=("b0.f", "b0.f_bit"))
    seen = ObservedSimulator(own=own, jobs=1).observe(graph, IMAGES, frames=1, trace=trace)
    assert seen.run is not None and not seen.beats
    text = path.read_text()
    assert _looked_at(text) == {"u_b0_f", "u_b0_f_bit"}
    times = [int(line[1:]) for line in text.splitlines() if line.startswith("#")]
    assert times[0] == 1000 and times[-1] in (1390, 1395) and "1ns" in text
    assert set(times) <= {10 * cycle + part for cycle in range(100, 140) for part in (0, 5)}
    assert [f.name for f in tmp_path.iterdir()] == ["part.vcd"]


def _looked_at(text: str) -> set[str]:
    """Units of the core that have signals in a VCD file (others have scopes alone)."""
    scopes: list[str] = []
    found = set()
    for line in text.splitlines():
        words = line.split()
        if words[:1] == ["$scope"]:
            scopes.append(words[2])
        elif words[:1] == ["$upscope"]:
            scopes.pop()
        elif words[:1] == ["$var"]:
            found.add(scopes[2] if len(scopes) > 2 else "")
    return found


@pytest.mark.parametrize(
    ("path", "window", "said"),
    [("out.fsd", (0, None), "allowed: .fst, .vcd"), ("out.fst", (5, 5), "no cycle is in it")],
)
def test_a_trace_that_cannot_be_is_refused(path: str, window: tuple[int, int | None], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        Trace(path=Path(path), first=window[0], end=window[1])


def test_what_cannot_be_looked_into_is_refused(
    build: tuple[Path, HwGraph], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, graph = build
    with pytest.raises(LoweringError, match="no operator is called 'b7'"):
        trace = Trace(path=tmp_path / "x.vcd", operators=("b7",))
        ObservedSimulator(own=own).observe(graph, IMAGES, frames=1, trace=trace)
    monkeypatch.setattr(observed_sim, "is_large", lambda graph: True)
    with pytest.raises(LoweringError, match="too many to be compiled as a whole"):
        ObservedSimulator(own=own).observe(graph, IMAGES, frames=1)


def test_without_the_headers_of_zlib_vcd_is_named() -> None:
    with pytest.raises(ToolError, match=r"zlib1g-dev\. Or name a \.vcd file"):
        observed_sim.explain(ToolError("make: verilated_fst.h: zlib.h: No such file"), "fst")
    with pytest.raises(ToolError, match=r"^make: other$"):
        observed_sim.explain(ToolError("make: other"), "fst")
