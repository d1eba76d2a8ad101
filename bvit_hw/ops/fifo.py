"""Fifo: first-word-fall-through FIFO between two operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, Params, Resources, RtlInstance, clog2
from bvit_hw.ops.glue_common import BufferOp

#: style -> parameter STYLE of bvit_fifo.sv
STYLES = {"small": 0, "large": 1, "ultra": 2}
#: what a FIFO's beats can be kept in, and the resource that tells how much of it
MEMORY_KINDS = {"registers": "ff", "LUT RAM": "lut", "block RAM": "bram18", "UltraRAM": "uram"}


@dataclass(frozen=True, kw_only=True)
class Fifo(BufferOp):
    """Holds ``depth`` beats.

    ``style`` "small" uses registers (depth 2) or LUT RAM, "large" block RAM, "ultra" UltraRAM where the target has it.

    LUT RAM is 32 words deep at least: from about 40 bits on, a depth of 32 is cheaper than a depth of 2.
    """

    op_type: ClassVar[str] = "Fifo"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_fifo.sv",)

    depth: int = 2
    style: str = "small"

    def check_fields(self) -> None:
        """Shape and folding."""
        if self.style not in STYLES:
            raise ConfigError(f"Fifo: style={self.style!r}; allowed: {', '.join(STYLES)}")
        least = 2 if self.style == "small" else 4
        if self.depth < least:
            raise ConfigError(f"Fifo: depth={self.depth}; allowed with style {self.style!r}: {least} or more")
        super().check_fields()

    @property
    def fifo_depth(self) -> int:
        """As configured."""
        return self.depth

    @property
    def fifo_memory(self) -> str:
        """One of MEMORY_KINDS; a single cell of LUT RAM would hold more than two beats."""
        return "registers" if self.depth == 2 else list(MEMORY_KINDS)[1 + STYLES[self.style]]

    def cost_terms(self) -> CostTerms:
        """Registers for two beats, or a memory with its addresses; those wrap where the depth is no power of two.

        Raises ConfigError for UltraRAM on a target without it.
        """
        memories, width, address = self.target.memories, self.stream.width, clog2(self.depth)
        wraps = self.depth > memories.cell_words and self.depth != 1 << address
        if self.depth == 2:
            return CostTerms(circuit="RegisterFifo", lut={"one": 1, "bit": width}, ff={"one": 1, "bit": width})
        registers = {"one": 1, "bit": width, "counter": clog2(self.depth + 1), "address": address}
        control = {"one": 1, "address": address, "wrap": address * wraps}
        if self.style == "small":
            luts = {"memory": memories.lut_ram_cost(width, self.depth), **control}
            return CostTerms(circuit="Fifo", lut=luts, ff=registers)
        ultra = self.style == "ultra"
        blocks = memories.ultra(width, self.depth) if ultra else Resources(bram18=memories.halves(width, self.depth))
        return CostTerms(circuit="BlockFifo", lut=control, ff=registers, exact=blocks)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_fifo."""
        return RtlInstance(
            module="bvit_fifo",
            parameters={"W": self.stream.width, "DEPTH": self.depth, "STYLE": STYLES[self.style]},
        )
