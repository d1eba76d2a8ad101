"""Lowering and folding from Python give what the steps of a build give."""

from __future__ import annotations

import pytest

from bvit_hw import api
from bvit_hw.errors import BoardError, ConfigError, FoldingError
from bvit_hw.freeze.random_frozen import random_frozen, random_images
from bvit_hw.graph.from_contract import hw_graph_of
from tests.small_build import SMALL


@pytest.fixture(scope="module")
def lowered() -> api.Lowered:
    network = api.FrozenNetwork(random_frozen(SMALL), "small")
    return api.lower(network, board="pynq-z2", images=random_images(SMALL, 1))


def test_lowering_gives_the_contracts_operators(lowered: api.Lowered) -> None:
    straight = hw_graph_of(lowered.network.graph)
    assert [(n.name, n.op) for n in lowered.graph.nodes] == [(n.name, n.op) for n in straight.nodes]
    assert lowered.board.name == "pynq-z2"


def test_folding_is_as_fast_as_asked_for_and_within_the_budget(lowered: api.Lowered) -> None:
    fast, slow = api.fold(lowered), api.fold(lowered, target_fps=10_000)
    assert fast.cycles < slow.cycles <= 100e6 / 10_000 and slow.frames_per_second >= 10_000
    assert fast.frames_per_second == pytest.approx(100e6 / fast.cycles)
    assert slow.resources["lut"] < fast.resources["lut"] <= fast.budget["lut"]
    assert set(fast.folding) == {node.name for node in fast.graph.nodes if not node.op.is_glue}
    assert all(value >= 1 for fields in slow.folding.values() for name, value in fields.items() if name == "pe")
    assert api.fold(lowered, clock_mhz=50).frames_per_second == pytest.approx(fast.frames_per_second / 2)


def test_what_cannot_be_is_told(lowered: api.Lowered) -> None:
    with pytest.raises(FoldingError, match="frames a second"):
        api.fold(lowered, target_fps=1e7)
    with pytest.raises(ConfigError, match="target-fps 0"):
        api.fold(lowered, target_fps=0)
    with pytest.raises(BoardError, match="pynq-z3"):
        api.lower(lowered.network, board="pynq-z3")
    with pytest.raises(ConfigError, match="target-fps 'fast' must be a number from"):
        api.fold(lowered, target_fps="fast")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"takes what api\.lower gives; given: FrozenNetwork"):
        api.fold(lowered.network)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"what api\.fold gives; given: Lowered"):
        api.simulate(lowered)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"a build is what .* or its folder; given: Lowered"):
        api.run(lowered, "pictures")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=r"what api\.load gives, or the path of its file; given: Lowered"):
        api.freeze(lowered)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="name its file by trace"):
        api.simulate(api.fold(lowered, target_fps=10_000), cycles=(5, 2))
