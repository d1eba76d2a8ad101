"""What steps hand on: read once, and by steps that say whose it is."""

from __future__ import annotations

from pathlib import Path
from typing import cast

import pytest

from bvit_hw.contract.file import save_frozen
from bvit_hw.freeze import random_frozen
from bvit_hw.graph.file import save_graph
from bvit_hw.graph.from_contract import hw_graph_of
from bvit_hw.pipeline.artefacts import GRAPH_FILE, Artefacts
from bvit_hw.pipeline.build_step import BuildStep
from bvit_hw.pipeline.options import BuildOptions
from bvit_hw.pipeline.plan import ENGINE_STEPS, STEPS
from tests.frozen_factory import CONFIGS


@pytest.fixture()
def build(tmp_path: Path) -> Artefacts:
    """Artefacts of a build that came as far as `lower`."""
    frozen = random_frozen(CONFIGS["plain"], seed=1)
    for step in ("freeze", "lower"):
        (tmp_path / step).mkdir()
    save_frozen(frozen, tmp_path / "freeze/frozen.safetensors")
    save_graph(hw_graph_of(frozen), tmp_path / "lower" / GRAPH_FILE)
    return Artefacts(cast(BuildOptions, None), {step: tmp_path / step for step in ("freeze", "lower")})


def test_files_are_read_once(build: Artefacts) -> None:
    frozen, lowered = build.frozen, build.lowered
    for folder in build.folders.values():
        for file in folder.iterdir():
            file.unlink()
    assert build.frozen is frozen and build.lowered is lowered and build.network is build.network
    assert [node.name for node in lowered.nodes] == [node.output for node in frozen.nodes]


def test_a_step_reads_only_of_steps_it_comes_after(build: Artefacts) -> None:
    assert build.lowered.nodes
    build.folders = {"freeze": build.folders["freeze"]}
    with pytest.raises(KeyError, match="lowered is of the step 'lower', which the asking one does not come after"):
        assert build.lowered  # read before by another step: that is no excuse


@pytest.mark.parametrize(("steps", "folder"), [(STEPS, "steps"), (ENGINE_STEPS, "engine_steps")])
def test_a_step_is_declared_by_the_module_of_its_name(steps: tuple[BuildStep, ...], folder: str) -> None:
    own = [step for step in steps if folder == "steps" or step not in STEPS]
    for step in own:
        assert step.run.__module__ == f"bvit_hw.pipeline.{folder}.{step.name}"
        assert step.title.startswith(f"{step.name}: ")
    names = [step.name for step in steps]
    for n, step in enumerate(steps):
        assert set(step.after) & set(names) <= set(names[:n]), step.name
        assert step in STEPS or set(step.after) <= set(names), step.name
    package = Path(__file__).parents[2] / "bvit_hw/pipeline" / folder
    assert {path.stem for path in package.glob("*.py")} - {"__init__"} == {step.name for step in own}
