"""PrependToken: a stored token, the class token with its position, before all others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from bvit_hw.ops.base import CostTerms, IntArray, Params, Resources, RtlInstance, Stream
from bvit_hw.ops.circuits import loop_bits
from bvit_hw.ops.coef_memory import pack_words
from bvit_hw.ops.params import ParamSpec
from bvit_hw.ops.pool_common import TokenOp


@dataclass(frozen=True, kw_only=True)
class PrependToken(TokenOp):
    """``token``, then the ``tokens`` tokens of the input: a frame has one token more than it came with.

    The module holds the frame's first beat back while the stored token leaves. ``params``: ``token`` (channels).
    """

    op_type: ClassVar[str] = "PrependToken"
    contract_node: ClassVar[str] = "PrependToken"
    rtl_sources: ClassVar[tuple[str, ...]] = ("bvit_loop_counter.sv", "bvit_rom.sv", "bvit_prepend_token.sv")

    @property
    def beats(self) -> int:
        """Beats a token."""
        return self.channels // self.pe

    @property
    def memory_shape(self) -> tuple[int, int]:
        """Width and depth of the stored token's memory."""
        return self.pe * self.bits, self.beats

    @property
    def outputs(self) -> tuple[Stream, ...]:
        """(tokens + 1) x channels."""
        return (self.stream_of(self.tokens + 1),)

    def cost_terms(self) -> CostTerms:
        """The stored token's table, a multiplexer a bit, the loop counters; a register for each bit of both sources."""
        memories, width = self.target.memories, self.pe * self.bits
        luts, halves = memories.tables([self.memory_shape])
        # Of two words a bit is a constant or the address.
        table = 0 if self.beats <= 2 or memories.table_in_block(*self.memory_shape) else width
        return CostTerms(
            circuit=self.op_type,
            lut={"one": 1, "table": luts, "select": width, "loop": loop_bits(self.beats, self.tokens + 1)},
            ff={"one": 1, "out": width, "table": table, "loop": loop_bits(self.beats, self.tokens + 1)},
            exact=Resources(bram18=halves),
        )

    @property
    def param_specs(self) -> Mapping[str, ParamSpec]:
        """``token``: channels integers of the stream's range."""
        return {"token": ParamSpec(shape=(self.channels,), bits=self.bits, signed=bool(self.signed))}

    def golden(self, params: Params, *frames: np.ndarray) -> tuple[IntArray, ...]:
        """tokens x channels -> (tokens + 1) x channels."""
        self.check_params(params)
        (frame,) = frames
        x = np.asarray(frame, dtype=np.int64).reshape(self.tokens, self.channels)
        return (np.vstack((np.asarray(params["token"], dtype=np.int64), x)),)

    def rtl(self, params: Params) -> RtlInstance:
        """An instance of bvit_prepend_token."""
        self.check_params(params)
        return RtlInstance(
            module="bvit_prepend_token",
            parameters={
                "TOKENS": self.tokens, "CHANNELS": self.channels, "BITS": self.bits, "PE": self.pe,
                "TOKEN_BLOCK": int(self.target.memories.table_in_block(*self.memory_shape)),
            },
            memories={"TOKEN_FILE": pack_words(np.asarray(params["token"]).reshape(-1, self.pe), self.bits)},
        )  # fmt: skip
