"""Fifo: first-word-fall-through FIFO between two operators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bvit_hw.errors import ConfigError
from bvit_hw.ops.base import CostTerms, Params, Resources, RtlInstance, Stream, clog2
from bvit_hw.ops.glue_common import GlueOp

STYLES = ("small", "large")


@dataclass(frozen=True, kw_only=True)
class Fifo(GlueOp):
    """Holds ``depth`` beats. ``style`` "small" uses registers (depth 2) or LUT RAM, "large" block RAM.

    LUT RAM is 32 words deep at least: from about 40 bits on, a depth of 32 is cheaper than a depth of 2.
    """

    op_type: ClassVar[str] = "Fifo"
    folding_fields: ClassVar[tuple[str, ...]] = ("pe",)
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_fifo.sv",)

    pe: int
    depth: int = 2
    style: str = "small"

    def check_fields(self) -> None:
        """Shape and folding."""
        if self.style not in STYLES:
            raise ConfigError(f"Fifo: style={self.style!r}; allowed: {', '.join(STYLES)}")
        least = 4 if self.style == "large" else 2
        if self.depth < least:
            raise ConfigError(f"Fifo: depth={self.depth}; allowed with style {self.style!r}: {least} or more")
        _ = self.stream

    @property
    def stream(self) -> Stream:
        """The stream on both sides."""
        return self.carried(self.pe)

    @property
    def inputs(self) -> tuple[Stream, ...]:
        """One stream."""
        return (self.stream,)

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """The same stream."""
        return (self.stream,)

    @property
    def fifo_depth(self) -> int:
        """As configured."""
        return self.depth

    def cost_terms(self) -> CostTerms:
        """Registers for two beats, or a memory with its addresses; those wrap where the depth is no power of two."""
        memories, width, address = self.target.memories, self.stream.width, clog2(self.depth)
        wraps = self.depth > memories.cell_words and self.depth != 1 << address
        if self.depth == 2:
            return CostTerms(circuit="RegisterFifo", lut={"one": 1, "bit": width}, ff={"one": 1, "bit": width})
        registers = {"one": 1, "bit": width, "counter": clog2(self.depth + 1), "address": address}
        control = {"one": 1, "address": address, "wrap": address * wraps}
        if self.style == "large":
            halves = memories.halves(width, self.depth)
            return CostTerms(circuit="BlockFifo", lut=control, ff=registers, exact=Resources(bram18=halves))
        luts = {"memory": memories.lut_ram_cost(width, self.depth), **control}
        return CostTerms(circuit="Fifo", lut=luts, ff=registers)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_fifo."""
        return RtlInstance(
            module="bvit_fifo",
            parameters={"W": self.stream.width, "DEPTH": self.depth, "BLOCK": int(self.style == "large")},
        )
