"""FirstToken: the first token of a frame alone, which is the class token."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bvit_hw.ops.base import CostTerms, Intake, IntArray, Params, RtlInstance, Stream
from bvit_hw.ops.circuits import loop_bits
from bvit_hw.ops.pool_common import TokenOp


@dataclass(frozen=True, kw_only=True)
class FirstToken(TokenOp):
    """The first of ``tokens`` tokens; what comes behind it is taken and dropped."""

    op_type: ClassVar[str] = "FirstToken"
    contract_node: ClassVar[str] = "FirstToken"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_loop_counter.sv", "bvit_first_token.sv")

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """1 x channels."""
        return (self.stream_of(1),)

    @property
    def intake(self) -> Intake:
        """A gate; a FIFO behind it holds one token, where one before it would have all of them pass through."""
        return Intake.FLOWS

    def cost_terms(self) -> CostTerms:
        """Control alone: data pass through."""
        loops = loop_bits(self.channels // self.pe, self.tokens)
        return CostTerms(circuit=self.op_type, lut={"one": 1, "loop": loops}, ff={"loop": loops})

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """tokens x channels -> 1 x channels."""
        self.check_params(params)
        (frame,) = frames
        return (np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.channels)[:1],)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_first_token."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_first_token",
            parameters={"TOKENS": self.tokens, "CHANNELS": self.channels, "BITS": self.bits, "PE": self.pe},
        )
