"""The step `simulate`: which images go through the RTL in it, and which did when the FIFO depths were proven."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from bvit_hw.errors import LoweringError
from bvit_hw.graph.fifo_sizing import CoreRun
from bvit_hw.pipeline.steps import simulate

IMAGES = np.arange(6 * 4, dtype=np.uint8).reshape(6, 2, 2, 1)
CYCLES = 100


def logits_of(images: np.ndarray) -> np.ndarray:
    """What stands for the network: two logits an image."""
    return images.reshape(len(images), -1)[:, :2].astype(np.int64)


def run_of(images: np.ndarray, frames: int) -> CoreRun:
    """A run of ``images`` repeated to ``frames``, a frame every CYCLES."""
    wanted = logits_of(images)
    return CoreRun(
        logits=np.stack([wanted[i % len(wanted)] for i in range(frames)]),
        starts=tuple(CYCLES * i for i in range(frames)),
        ends=tuple(CYCLES * (i + 3) for i in range(frames)),
        occupancy={},
    )


def simulated(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, proven: np.ndarray, run: CoreRun
) -> tuple[dict[str, Any], list[tuple[int, int, bool]]]:
    """The step's results for ``count`` images, and its own simulations: images, frames, whether with stalls."""
    ran: list[tuple[int, int, bool]] = []

    def simulator(graph: object, say: object, **options: int) -> Any:
        def play(graph: object, images: np.ndarray, *, frames: int) -> CoreRun:
            ran.append((len(images), frames, "sink_chance" in options))
            return run_of(images, frames)

        return play

    monkeypatch.setattr(simulate, "core_simulator", simulator)
    build = SimpleNamespace(
        options=SimpleNamespace(simulated_images=count, jobs=1),
        images=SimpleNamespace(images=IMAGES, labels=None),
        stitched=SimpleNamespace(cycles=CYCLES),
        proven_run=(proven, run),
        frozen_logits=logits_of,
    )
    context = SimpleNamespace(folder=tmp_path, progress=lambda *_: None, say=lambda _: None)
    return dict(simulate.run(context, build)), ran  # type: ignore[arg-type]


def test_images_of_the_proof_are_not_simulated_twice(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, ran = simulated(monkeypatch, tmp_path, 2, IMAGES[:4], run_of(IMAGES[:4], 16))
    assert ran == [(2, 2, True)], "with stalls alone"
    assert found["images"] == 2 and found["cycles_simulated"] == CYCLES and found["logits_equal_to_frozen"]


@pytest.mark.parametrize(("count", "proven"), [(5, IMAGES[:4]), (2, IMAGES[1:5])])
def test_other_images_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, count: int, proven: np.ndarray) -> None:
    found, ran = simulated(monkeypatch, tmp_path, count, proven, run_of(proven, 16))
    assert ran == [(count, 8, False), (count, count, True)] and found["images"] == count


def test_the_proof_must_give_the_frozen_networks_logits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Also those of its images that were not asked for; the golden functions it was held to could be wrong."""
    run = run_of(IMAGES[:4], 16)
    run.logits[3, 1] += 1
    with pytest.raises(LoweringError, match="frame 3 gives logits"):
        simulated(monkeypatch, tmp_path, 2, IMAGES[:4], run)
