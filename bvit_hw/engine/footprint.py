"""What an engine's memories take of an FPGA's blocks."""

from __future__ import annotations

from bvit_hw.engine.config import MEMORIES, OCTET, EngineConfig
from bvit_hw.targets.memories import Memories

#: how many times a memory is there, because so many words are read in a cycle (docs/engine_design.md, the RTL)
COPIES = {"params": 4}


def memory_halves(config: EngineConfig, memories: Memories) -> dict[str, int]:
    """Half blocks of each memory: one port writes and one reads, with a write enable for each eight bits.

    An enable covers ``byte_bits`` of a block, so of nine bits one is lost. It is an engine of one tap a cycle. Values
    that lie in UltraRAM take none.
    """
    return {
        name: COPIES.get(name, 1)
        * memories.halves(config.widths[name] // OCTET * memories.byte_bits, getattr(config, name))
        for name in MEMORIES
        if not (config.ultra and name == "values")
    }


def ultra_blocks(config: EngineConfig, memories: Memories) -> int:
    """UltraRAMs of the values; ConfigError where the target has none, or one is not deep enough."""
    if not config.ultra:
        return 0
    return int(memories.ultra_lanes(config.widths["values"] // OCTET, OCTET, config.values).uram)
