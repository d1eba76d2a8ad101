"""The bound on a network's cycles: no programme is below it, and it is not far from nothing."""

from __future__ import annotations

import pytest

from bvit_hw.engine.bounds import least_cycles
from bvit_hw.engine.compiler import compile_network
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.cycles import RULES, frame_cycles
from tests.engine.test_compiler import network

ENGINES = [
    EngineConfig(), EngineConfig(tokens=4, rows=8), EngineConfig(tokens=2, rows=64, channels=32),
    EngineConfig(tokens=7, rows=16, channels=16, port=128),
]  # fmt: skip


@pytest.mark.parametrize("name", ["tiny-digits", "three-stages", "class-token"])
@pytest.mark.parametrize("config", ENGINES, ids=lambda config: f"{config.tokens}x{config.rows}x{config.channels}")
def test_no_programme_is_below_it(name: str, config: EngineConfig) -> None:
    graph, _ = network(name)
    commands = compile_network(graph, config, fused=True).programme.commands
    least = least_cycles(graph, config)
    assert 0 < least <= frame_cycles(config, RULES, commands)
