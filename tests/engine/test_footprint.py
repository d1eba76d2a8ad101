"""Blocks that an engine's memories take, counted by hand."""

from __future__ import annotations

import pytest

from bvit_hw.boards import load_board
from bvit_hw.engine.board_engine import engine_of
from bvit_hw.engine.config import EngineConfig
from bvit_hw.engine.footprint import memory_halves, ultra_blocks
from bvit_hw.errors import ConfigError
from bvit_hw.targets import place_of
from bvit_hw.targets.xilinx import MEMORIES

ENGINES = {
    # 56 bytes a word: 56 blocks of 4,096 x 9 bits, and for 1,024 words 14 of 1,024 x 36
    "values": (EngineConfig(values=5120), 2 * (56 + 14)),
    "bits": (EngineConfig(bits=512), 2 * 7),
    # 256 bytes a word of 32 rows: 32 blocks of 512 x 72 bits
    "weights": (EngineConfig(weights=1536), 2 * 3 * 32),
    # 32 bytes a word, four times
    "params": (EngineConfig(params=2048), 4 * 2 * 16),
    "steps": (EngineConfig(steps=512), 2),
    # half a block has at most 36 bits
    "taps": (EngineConfig(taps=16), 2),
}


@pytest.mark.parametrize("memory", ENGINES)
def test_blocks_of_each_memory(memory: str) -> None:
    config, halves = ENGINES[memory]
    assert memory_halves(config, MEMORIES)[memory] == halves


def test_values_in_ultraram_take_no_blocks() -> None:
    """112 bytes a word, nine of them in an UltraRAM's."""
    config, memories = EngineConfig(channels=16, values=4096, ultra=1), place_of("zynq-ultrascale+")[0].memories
    assert "values" not in memory_halves(config, memories) and ultra_blocks(config, memories) == 13
    assert ultra_blocks(EngineConfig(), MEMORIES) == 0
    with pytest.raises(ConfigError, match="a memory of 4608 words of 112 x 8 bits in UltraRAM"):
        ultra_blocks(EngineConfig(channels=16, values=4608, ultra=1), memories)


@pytest.mark.parametrize("depth", [8, 24, 768, 1 << 17])
def test_a_depth_that_leaves_blocks_half_empty_is_refused(depth: int) -> None:
    told = rf"engine: values={depth}; allowed: powers of two from 16 on, and multiples of 512, up to 65536"
    with pytest.raises(ConfigError, match=told):
        EngineConfig(values=depth)


def test_a_board_holds_its_engine() -> None:
    board = load_board("pynq-z2")
    assert sum(memory_halves(engine_of(board), MEMORIES).values()) <= board.resources.bram18.count
