"""StreamRegister: a stream between two dies passes through one on either side, so that only wires cross.

A single one ends a chain of ready that is too long for the clock (:mod:`bvit_hw.graph.ready_chains`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from bvit_hw.ops.base import CostTerms, Intake, Params, RtlInstance
from bvit_hw.ops.fifo import Fifo
from bvit_hw.ops.glue_common import BufferOp


@dataclass(frozen=True, kw_only=True)
class StreamRegister(BufferOp):
    """Two registers for beats: what it gives comes from flip-flops, its ready as well.

    It is a FIFO of two beats in RTL, but none that sizing may take away or make deeper.
    """

    op_type: ClassVar[str] = "StreamRegister"
    is_die_border: ClassVar[bool] = True
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_fifo.sv",)

    @property
    def intake(self) -> Intake:
        """A beat a cycle while its output is taken."""
        return Intake.FLOWS

    @property
    def _fifo(self) -> Fifo:
        return Fifo.of(self.stream, pe=self.pe, target=self.target)

    def cost_terms(self) -> CostTerms:
        """Those of a FIFO of two beats."""
        return self._fifo.cost_terms()

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_fifo."""
        return self._fifo.rtl(params)
