"""The core as it is simulated: operators by name, and in which part of a large one they are."""

from __future__ import annotations

from pathlib import Path

import pytest

from bvit_hw.api.simulated_core import simulated_core
from bvit_hw.errors import ConfigError
from bvit_hw.flows import parts_sim
from tests.small_build import write_small_build


def test_operators_of_several_parts_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    graph = write_small_build(tmp_path / "build")
    core = simulated_core(tmp_path / "build", None, 1, print)
    assert core.parts == 1 and core.named(("b0.f",)) == ("b0.f",)
    with pytest.raises(ConfigError, match="--operator b7: no operator is called so"):
        core.named(("b7",))
    monkeypatch.setattr(parts_sim, "LARGE", 10)
    core = simulated_core(tmp_path / "build", None, 1, print)
    assert core.parts == 2 and core._part(("b0.f", "b0.f_bit")) == core._part(("b0.f",))
    first, last = graph.nodes[0].name, graph.nodes[-1].name
    assert core._part((first,)) == 0 and core._part((last,)) == 1
    with pytest.raises(ConfigError, match=f"{first} is in part 0, {last} is in part 1"):
        core._part((first, last))
